"""A process of the fleet says now and then that it is there: who it is, and what it has in hand."""

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.store import hosts
from app.store.clock import lease_s
from app.store.faults import write

LONGEST_S = 2.0
"""Between two signs of life: a connection of which the database hears nothing for 3 s is closed."""

_beating = threading.Lock()
"""Held while something is written, and while this process forks: a child would inherit what the thread holds."""
os.register_at_fork(before=_beating.acquire, after_in_parent=_beating.release, after_in_child=_beating.release)


class Heart:
    """Of this process, in a thread of its own. `places`: how many orders it can carry out at once; `in_hand()`: how
    many it does; `beside()` is done as often, by nobody while this process forks. `folder`: see tables.py."""

    def __init__(
        self,
        database: Engine,
        host: str,
        kind: str,
        places: int,
        in_hand: Callable[[], int],
        beside: Callable[[], object] = lambda: None,
        folder: str = "",
    ) -> None:
        self._database = database
        self._of = (host, f"{kind}:{os.getpid()}:{secrets.token_hex(4)}")
        self._kind = kind
        self._places = places
        self._in_hand = in_hand
        self._beside = beside
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """From here on."""
        self._thread.start()

    def stop(self) -> None:
        """It is not there any more. What the database says to that does not matter: who is silent is not there."""
        self._over.set()
        self._thread.join(timeout=1.0)
        with suppress(SQLAlchemyError):
            write(self._database, lambda connection: hosts.leave(connection, *self._of))

    def _run(self) -> None:
        def beat(connection: Connection) -> None:
            hosts.beat(connection, *self._of, self._kind, self._places, self._in_hand(), self._folder)

        while True:
            with suppress(SQLAlchemyError), _beating:  # the next one is soon
                write(self._database, beat)
                self._beside()
            if self._over.wait(min(LONGEST_S, lease_s(self._database) / 3)):
                return
