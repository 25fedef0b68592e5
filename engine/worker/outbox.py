"""What an event worker says to other processes: all of one loop turn to one receiver goes in few packets."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from engine.errors import InboxFull
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel
from engine.ipc.message import Kind, Message, packets, to_bytes

MOST_BYTES = 64 * 2**20
"""Of messages that wait for workers that do not read."""


class Outbox:
    """Messages on their way out, in order for each receiver. A full inbox is tried again when it has room."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        channel: Channel,
        receivers: int,
        note_files: Callable[[], None] = lambda: None,
    ) -> None:
        """`note_files()` is called before messages are sent: from now on somebody is told of the files they name."""
        self._loop = loop
        self._note_files = note_files
        self._channel = channel
        self._messages: list[list[bytes]] = [[] for _ in range(receivers)]
        self._packets: list[deque[bytes]] = [deque() for _ in range(receivers)]
        self._to_flush: set[int] = set()
        self._posted_bytes = self._stuck_bytes = 0

    def tell(self, to: int, bodies: Bodies, kind: Kind, number: int, data: Any) -> None:
        """Pack and post. Raises InboxFull, what pickle raises, and OSError when a file does not fit."""
        message = bodies.pack(kind, number, data)
        try:
            self.post(to, message)
        except InboxFull:
            bodies.drop(message)
            raise

    def post(self, to: int, message: Message) -> None:
        """Send at the end of this loop turn. Raises InboxFull when MOST_BYTES wait already."""
        waiting = self._posted_bytes + self._stuck_bytes
        if waiting and waiting + len(message.body) > MOST_BYTES:
            raise InboxFull(waiting, MOST_BYTES)
        self._add(to, message)

    def forward(self, to: int, messages: list[Message]) -> None:
        """Send at once what was meant for another, however much waits: it is somewhere already."""
        for message in messages:
            self._add(to, message)
        self.flush()

    def _add(self, to: int, message: Message) -> None:
        if not self._to_flush:
            self._loop.call_soon(self.flush)
        self._to_flush.add(to)
        packed = to_bytes(message)
        self._posted_bytes += len(packed)
        self._messages[to].append(packed)

    def waiting_for(self) -> list[int]:
        """Who has not taken yet what was sent."""
        return [to for to, waiting in enumerate(self._packets) if waiting or to in self._to_flush]

    def flush(self) -> None:
        """Send what was posted."""
        self._note_files()
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
