"""Keeps the packet that a process is handling, in shared memory that outlives the process.

handled u64 | deaths u64 | packet
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.ipc.backlog import Backlog
from engine.ipc.message import PACKET_BYTES, PACKET_HEAD, Message, unpack

_PACKET_AT: Final = 16
REGION_BYTES = _PACKET_AT + 2 * PACKET_BYTES
_HANDLED: Final = 0
_DEATHS: Final = 1


@dataclass(frozen=True, slots=True)
class EventWorkerState:
    """What the event worker in a place works with, and leaves when it dies."""

    backlog: Backlog
    inbox_packet: "InboxPacket"


class InboxPacket:
    """Made before the first fork; only the process in its place touches it, and the one that takes over from it."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: REGION_BYTES of it."""
        self._cells = memory[:_PACKET_AT].cast("Q")
        self._packet = memory[_PACKET_AT:]
        self._may_have_deaths = True
        """Whether deaths of a process before us may stand here; to ask the memory for each message would cost."""

    def take(self, receive_into: Callable[[memoryview], int]) -> list[Message] | None:
        """Let `receive_into` put the next packet here; return its messages, None when there is no packet."""
        return unpack(self._packet) if receive_into(self._packet) else None

    def handled(self, count: int) -> None:
        """Note that the first `count` messages are handled."""
        self._cells[_HANDLED] = count
        if self._may_have_deaths:
            self._cells[_DEATHS] = 0
            self._may_have_deaths = False

    def clear(self) -> None:
        """Note that all messages are handled."""
        PACKET_HEAD.pack_into(self._packet, 0, 0)
        self._cells[_HANDLED] = self._cells[_DEATHS] = 0

    def leftover(self, most_deaths: int) -> tuple[list[Message], int]:
        """Return the messages that a process which died did not handle, and how many before them it did.

        The first one is left out, and counts as handled, once `most_deaths` processes died while handling it.
        """
        if not PACKET_HEAD.unpack_from(self._packet)[0]:
            return [], 0
        self._cells[_DEATHS] += 1
        self._may_have_deaths = True
        if self._cells[_DEATHS] >= most_deaths:
            self.handled(self._cells[_HANDLED] + 1)
        handled = self._cells[_HANDLED]
        return unpack(self._packet)[handled:], handled

    def handled_before(self) -> list[Message]:
        """Return the messages that a process which died handled, and those passed over; their files may still be
        there. Call it after `leftover`."""
        if not PACKET_HEAD.unpack_from(self._packet)[0]:
            return []
        return unpack(self._packet)[: self._cells[_HANDLED]]
