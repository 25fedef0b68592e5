"""The connections of one event worker, by session number."""

import asyncio
from collections.abc import Callable
from typing import Any

from engine.ipc.message import Kind
from engine.settings import Settings
from engine.stats import Board, Cell
from engine.worker.callbacks import Callbacks
from engine.worker.connection import Connection


class Clients:
    """Takes connections in, finds them again, and reaches those of other event workers by message."""

    def __init__(
        self,
        worker_id: int,
        settings: Settings,
        board: Board,
        callbacks: Callbacks,
        post: Callable[[int, Kind, int, Any], None],
    ) -> None:
        """`post(worker_id, kind, fd, data)` tells another worker."""
        self.settings = settings
        self._id = worker_id
        self._board = board
        self._callbacks = callbacks
        self._post = post
        self._connections: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    # ── what a connection tells (see connection.Owner) ──────────────────────────────────────────

    def opened(self, connection: Connection) -> int:
        # 1 + id, 1 + id + worker_num, …: unique over all workers, and tells whose it is
        fd = self._board.add(self._id, Cell.SESSIONS) * self._board.worker_num + self._id + 1
        self._board.add(self._id, Cell.ACCEPTED)
        self._connections[fd] = connection
        self._callbacks.emit("connect", fd, self._id)
        return fd

    def received(self, fd: int, frame: bytes) -> asyncio.Future[None] | None:
        return self._callbacks.emit("receive", fd, self._id, frame)

    def closed(self, connection: Connection) -> None:
        self._board.add(self._id, Cell.CLOSED)
        del self._connections[connection.fd]
        self._callbacks.emit("close", connection.fd, self._id)

    # ── what the program asks ───────────────────────────────────────────────────────────────────

    @property
    def numbers(self) -> list[int]:
        return list(self._connections)

    def get(self, fd: int) -> Connection | None:
        return self._connections.get(fd)

    def send(self, fd: int, data: bytes) -> bool:
        """Send to a client; a connection of another event worker is reached through it, and True says it was asked."""
        if connection := self._connections.get(fd):
            return connection.send(data)
        return self._ask_owner(Kind.SEND, fd, data)

    def close(self, fd: int) -> bool:
        """Close a connection, here or through its event worker."""
        if connection := self._connections.get(fd):
            return connection.close()
        return self._ask_owner(Kind.CLOSE, fd, b"")

    def _ask_owner(self, kind: Kind, fd: int, data: bytes) -> bool:
        owner = (fd - 1) % self._board.worker_num
        if fd < 1 or owner == self._id:
            return False
        self._post(owner, kind, fd, data)
        return True

    def info(self, fd: int) -> dict[str, Any] | None:
        if not (connection := self._connections.get(fd)):
            return None
        host, port = connection.peer
        return {
            "remote_ip": host,
            "remote_port": port,
            "reactor_id": self._id,
            "connect_time": connection.connected_at,
        }

    # ── the worker leaves ───────────────────────────────────────────────────────────────────────

    def stop_reading(self) -> None:
        for connection in self._connections.values():
            connection.stop_reading()

    def close_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.close()
