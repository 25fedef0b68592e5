"""What an event worker says to other processes: all of one loop turn to one receiver goes in few packets."""

import asyncio
from collections import deque
from collections.abc import Callable

from engine.ipc.channel import Channel
from engine.ipc.message import Message, packets, to_bytes


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

    def post(self, to: int, message: Message) -> None:
        """Send at the end of this loop turn."""
        if not self._to_flush:
            self._loop.call_soon(self.flush)
        self._to_flush.add(to)
        self._messages[to].append(to_bytes(message))

    def forward(self, to: int, messages: list[Message]) -> None:
        """Send at once what was meant for another."""
        for message in messages:
            self.post(to, message)
        self.flush()

    def is_empty(self) -> bool:
        return not self._to_flush and not any(self._packets)

    def flush(self) -> None:
        """Send what was posted."""
        receivers, self._to_flush = self._to_flush, set()
        if receivers:
            # before and not after: a file too many stays until the next start, one too few is a message nobody can read
            self._note_files()
        for to in receivers:
            messages, self._messages[to] = self._messages[to], []
            stuck = bool(self._packets[to])
            self._packets[to].extend(packets(messages))
            if not stuck:
                self._push(to)

    def _push(self, to: int) -> None:
        waiting = self._packets[to]
        descriptor = self._channel.writable(to)
        while waiting:
            if not self._channel.send(to, waiting[0]):
                self._loop.add_writer(descriptor, self._push, to)
                return
            waiting.popleft()
        self._loop.remove_writer(descriptor)
