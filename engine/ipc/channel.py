"""Addresses of the inboxes of one server's processes, and what a channel between them promises."""

from typing import Protocol

from engine.ipc.board import Board, Cell


def inbox_of(board: Board, worker_id: int) -> int:
    """Return the inbox of the process that has this worker id now."""
    if worker_id < board.worker_num:
        return board.current(worker_id)
    return len(board.event_places) + worker_id - board.worker_num


def place_of(board: Board, fd: int) -> int:
    """Return the place of the event worker that has, or had, this connection."""
    return (fd - 1) % len(board.event_places)


def has_reader(board: Board, inbox: int) -> bool:
    """Return whether a process is there that reads this inbox."""
    if inbox < len(board.event_places):
        return bool(board.get(inbox, Cell.PID))
    worker_id = inbox - len(board.event_places) + board.worker_num
    return any(board.get(board.place(worker_id, seat), Cell.PID) for seat in (0, 1))


class Channel(Protocol):
    """Inboxes: one for each place of an event worker, then one for each task worker and each user process.

    Made before the first fork; each process uses its copy. Packets arrive whole and in the order in which one process
    sent them. What a dead process did not take stays for the one that follows it.
    """

    def send(self, to: int, packet: bytes) -> bool:
        """Put a packet into an inbox; False when it is full. Never blocks."""

    def receive(self, worker_id: int) -> bytes | None:
        """Return the next packet of an inbox, None when it is empty. Never blocks."""

    def receive_into(self, worker_id: int, buffer: memoryview) -> int:
        """Put the next packet of an inbox into `buffer`; return its size in bytes, 0 when the inbox is empty. Never
        blocks."""

    def readable(self, worker_id: int) -> int:
        """Return the descriptor that is readable when this inbox has a packet."""

    def writable(self, worker_id: int) -> int:
        """Return the descriptor that is writable when this inbox has room."""
