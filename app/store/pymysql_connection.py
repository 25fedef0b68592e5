"""PyMySQL's connections, with one TLS context for all of them.

PyMySQL encrypts where the server can, without asking for its certificate, and makes a context for each connection. To
load the system's certificates into it, which are for nothing then, takes 25 ms, four times as long as all the rest.
"""

import ssl
from typing import Any, ClassVar

from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError


class _Connection(Connection):  # type: ignore[misc] # PyMySQL tells no types
    _unasked: ClassVar[ssl.SSLContext | None] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._is_asked_for_tls = isinstance(options.get("ssl"), ssl.SSLContext)
        super().__init__(*arguments, **options)

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        if sslp:  # the URL says whom to trust
            return super()._create_ssl_ctx(sslp)
        if _Connection._unasked is None:
            _Connection._unasked = super()._create_ssl_ctx(sslp)
        return _Connection._unasked

    def _request_authentication(self) -> None:
        # Before 1.2, PyMySQL says its password in the clear to a server, or to somebody in between, that offers no TLS.
        if self._is_asked_for_tls and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server speaks no TLS, which DATABASE_TLS asks for")
        super()._request_authentication()


def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Connection:
    """SQLAlchemy's event do_connect."""
    return _Connection(*arguments, **options)
