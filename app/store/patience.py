"""How long a connection waits for a database server that says nothing, and how it learns that there is none any more.

A host that vanishes says nothing of it, and TCP by itself finds out after hours. Which silence is a long statement and
which is a way that leads nowhere, nobody can tell; so patience begins short, and grows where the server proves to be
there and only slow.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

SERVER_SILENT_S, SERVER_MOST_SILENT_S = 3, 96
"""How long the database may say nothing to a server or a worker. Its statements take milliseconds, those for a page of
customers some 50; so that work goes on within 5 s when a way that led nowhere leads there again."""
CONNECT_WITHIN_S = 3
"""To open a connection: no statement is long in this."""
FORGET_AFTER_S = 600.0
_LOST = 2013
_KEEPALIVE = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}
"""A host that is gone is noticed after 11 s, however long a statement may take."""


class Patience:
    """The longest silence of a server, in whole seconds: `first_s`, and twice as much each time that a statement took
    longer on a server to which a connection could be made right after it; `most_s` at most. Ten minutes later it is
    `first_s` again. `clock` in seconds."""

    def __init__(self, first_s: int, most_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._clock = clock
        self._limit_s = first_s
        self._grown_at = 0.0
        self._wished_s = 0

    @property
    def idle_s(self) -> int:
        """After so long without a word from us the server closes a connection, and undoes its transaction. One of which
        we know no more would keep its locks for hours."""
        return self._first_s

    @property
    def limit_s(self) -> int:
        """What a new connection gets."""
        if self._limit_s > self._first_s and self._clock() > self._grown_at + FORGET_AFTER_S:
            self._limit_s = self._first_s
        return self._limit_s

    def was_too_short(self, limit_s: int) -> None:
        """A statement got no answer in this time. Either it is long, or the server is gone."""
        self._wished_s = min(2 * limit_s, self._most_s)

    def server_is_there(self) -> None:
        """A connection could be made: so it was long."""
        if self._wished_s > self.limit_s:
            self._limit_s = self._wished_s
            self._grown_at = self._clock()
        self._wished_s = 0

    def server_is_gone(self) -> None:
        """None could be made: so it says nothing of how long statements take."""
        self._wished_s = 0


def apply(patience: Patience, engine: Engine) -> None:
    """Give every connection of a MySQL engine its limits, unless the URL has its own. Call it before another listener
    makes the connections."""

    @event.listens_for(engine, "do_connect")
    def _limit(_dialect: object, record: Any, _arguments: list[Any], options: dict[str, Any]) -> None:
        limit_s = patience.limit_s
        options.setdefault("connect_timeout", min(CONNECT_WITHIN_S, limit_s))
        options.setdefault("write_timeout", limit_s)
        record.info["limit_s"] = options.setdefault("read_timeout", limit_s)

    @event.listens_for(engine, "connect")
    def _there(connection: Any, _record: object) -> None:
        patience.server_is_there()
        _keep_alive(connection)

    @event.listens_for(engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:
        if context.connection is None or context.is_pre_ping:
            patience.server_is_gone()
        elif _is_timeout(context.original_exception):
            patience.was_too_short(context.connection.info["limit_s"])


def _is_timeout(error: BaseException) -> bool:
    """mysqlclient does not say why a connection was lost; PyMySQL does."""
    lost = error.args[:1] == (_LOST,)
    return lost and ("timed out" in str(error) or not type(error).__module__.startswith("pymysql"))


def _keep_alive(connection: Any) -> None:
    descriptor = connection._sock if hasattr(connection, "_sock") else connection
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor.fileno())) as way:  # or a unix socket
        way.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            way.setsockopt(socket.IPPROTO_TCP, option, value)
