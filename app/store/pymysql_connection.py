"""PyMySQL's connections, with one TLS context for all of them.

PyMySQL encrypts where the server can, without asking for its certificate, and makes a context for each connection. To
load the system's certificates into it, which are for nothing then, takes 25 ms, four times as long as all the rest.
"""

import ssl
from typing import Any, ClassVar

from pymysql.connections import Connection


class _Connection(Connection):  # type: ignore[misc] # PyMySQL tells no types
    _unasked: ClassVar[ssl.SSLContext | None] = None

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        if sslp:  # the URL says whom to trust
            return super()._create_ssl_ctx(sslp)
        if _Connection._unasked is None:
            _Connection._unasked = super()._create_ssl_ctx(sslp)
        return _Connection._unasked


def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Connection:
    """SQLAlchemy's event do_connect."""
    return _Connection(*arguments, **options)
