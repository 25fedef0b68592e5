"""Lets a process without connections reach those of event workers."""

from typing import Any

from engine.errors import UsageError
from engine.ipc.board import Board
from engine.ipc.channel import inbox_of, place_of
from engine.ipc.message import Kind


class RemoteClients:
    """Reaches clients through the event workers that have them, and other workers by message."""

    _board: Board

    def _post(self, to: int, kind: Kind, number: int, data: Any) -> None:
        """Send a message to the process with this inbox."""
        raise NotImplementedError

    def send_message(self, message: Any, worker_id: int) -> None:
        self._post(inbox_of(self._board, worker_id), Kind.PIPE, 0, message)

    def send(self, fd: int, data: bytes) -> bool:
        if fd not in self._board.connections:
            return False
        self._post(place_of(self._board, fd), Kind.SEND, fd, data)
        return True

    def close(self, fd: int) -> bool:
        if fd not in self._board.connections:
            return False
        self._post(place_of(self._board, fd), Kind.CLOSE, fd, b"")
        return True

    @property
    def connections(self) -> list[int]:
        raise UsageError("only event workers have connections")

    def exists(self, fd: int) -> bool:
        return fd in self._board.connections

    def get_client_info(self, fd: int) -> dict[str, Any] | None:
        return self._board.connections.info(fd)
