"""Sends messages of a process with an event loop to others: those of one loop turn to one inbox share packets."""

import asyncio
from collections import deque
from typing import Any

from engine.errors import InboxFull
from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel, has_reader
from engine.ipc.message import Kind, Message, packets, to_bytes

MOST_BYTES = 64 * 2**20
"""Of messages that wait for workers that do not read."""


class Outbox:
    """Messages on their way out, in order for each receiver. A full inbox is tried again when it has room."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: Channel, board: Board, bodies: Bodies) -> None:
        """`bodies`: those of this process."""
        self._loop = loop
        self._channel = channel
        self._board = board
        self._bodies = bodies
        self._messages: list[list[bytes]] = [[] for _ in range(board.inboxes)]
        self._packets: list[deque[bytes]] = [deque() for _ in range(board.inboxes)]
        self._to_flush: set[int] = set()
        self._posted_bytes = self._stuck_bytes = 0

    def tell(self, to: int, kind: Kind, number: int, data: Any) -> None:
        """Pack and post. Raises InboxFull, what pickle raises, and OSError when a file does not fit."""
        message = self._bodies.pack(kind, number, data)
        try:
            self.post(to, message)
        except InboxFull:
            self._bodies.drop(message)
            raise

    def post(self, to: int, message: Message) -> None:
        """Send at the end of this loop turn. Raises InboxFull when MOST_BYTES wait already."""
        waiting = self._posted_bytes + self._stuck_bytes
        if waiting and waiting + len(message.body) > MOST_BYTES:
            raise InboxFull(waiting, MOST_BYTES)
        if not self._to_flush:
            self._loop.call_soon(self.flush)
        self._to_flush.add(to)
        packed = to_bytes(message)
        self._posted_bytes += len(packed)
        self._messages[to].append(packed)

    def waiting_for(self) -> list[int]:
        """Inboxes that have not taken yet what was sent."""
        return [to for to, waiting in enumerate(self._packets) if waiting or to in self._to_flush]

    def waits_for_readers(self) -> bool:
        """Whether any of these inboxes has a process that reads it, so that it pays to wait."""
        return any(has_reader(self._board, each) for each in self.waiting_for())

    def flush(self) -> None:
        """Send what was posted."""
        # before it is sent: from now on somebody is told of the files that the messages name
        self._board.put(self._bodies.place, Cell.FILES_SENT, self._bodies.files_made)
        receivers, self._to_flush = self._to_flush, set()
        self._posted_bytes = 0
        for to in receivers:
            messages, self._messages[to] = self._messages[to], []
            waiting = self._packets[to]
            stuck = bool(waiting)
            for packet in packets(messages):
                waiting.append(packet)
                self._stuck_bytes += len(packet)
            if not stuck:
                self._push(to)

    def _push(self, to: int) -> None:
        waiting = self._packets[to]
        descriptor = self._channel.writable(to)
        while waiting:
            if not self._channel.send(to, waiting[0]):
                self._loop.add_writer(descriptor, self._push, to)
                return
            self._stuck_bytes -= len(waiting.popleft())
        self._loop.remove_writer(descriptor)
