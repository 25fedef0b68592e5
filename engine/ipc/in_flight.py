"""What a task worker has in hand, in shared memory, where its death cannot take it.

answered u32 | begun u8 × 4096 | ended u8 × 4096 | gone u8 × 4096 | lead 8 bytes | packet

The kernel writes a packet straight into this memory when it is taken from a socket or a queue: at no moment is a task
neither there nor here. begun and ended count for each place in the packet; gone is 1 where the message was given
back, 2 where it took longer than it may.
The packet is as it came, with its own length in front; a queue puts the message's type into the lead.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from engine.ipc.message import HEAD_BYTES, PACKET_BYTES, PACKET_HEAD, TIMED_OUT, Kind, Message, unpack

_ANSWERED: Final = struct.Struct("=I")
LEAD_BYTES: Final = 8
_PLACES = PACKET_BYTES // HEAD_BYTES  # a message is not shorter than its head
_BEGUN_AT: Final = _ANSWERED.size
_ENDED_AT = _BEGUN_AT + _PLACES
_GONE_AT = _ENDED_AT + _PLACES
_LEAD_AT = (_GONE_AT + _PLACES + 7) // 8 * 8
_PACKET_AT = _LEAD_AT + LEAD_BYTES
REGION_BYTES = _PACKET_AT + 2 * PACKET_BYTES
_MOST: Final = 255
_REQUEUED, _EXPIRED = 1, 2
_new: Final = tuple.__new__  # a NamedTuple's own costs twice as much


def slots_in(memory: memoryview) -> list["InFlight"]:
    """The slots in a memory that has room for so many."""
    return [InFlight(memory[at : at + REGION_BYTES]) for at in range(0, len(memory) - REGION_BYTES + 1, REGION_BYTES)]


class InFlightTask(NamedTuple):
    """A message in hand: its place in the packet, from 0, and what became of it in processes that are dead."""

    place: int
    message: Message
    begun: int
    """How often it was begun: it may have ended well, and only its answer was lost."""
    deaths: int
    """How many processes died while handling it, here or elsewhere. For one that is TIMED_OUT, more than any limit."""


class InFlight:
    """One task worker's slot. Made before the first fork; only the process in its place touches it, and the one that
    takes over from it."""

    def __init__(self, memory: memoryview) -> None:
        """`memory`: REGION_BYTES of it, all zeros or as an earlier process left it."""
        self._memory = memory
        self._begun = self._memory[_BEGUN_AT:_ENDED_AT]
        self._ended = self._memory[_ENDED_AT:_GONE_AT]
        self._gone = self._memory[_GONE_AT:_LEAD_AT]
        self._room = self._memory[_LEAD_AT:]
        self._packet = self._memory[_PACKET_AT:]
        self._count = 0

    def take(self, receive_into: Callable[[memoryview], int]) -> list[InFlightTask]:
        """Let `receive_into` put the next packet behind the lead, and return what it holds. The slot must be empty."""
        if not receive_into(self._room):
            return []
        messages = unpack(self._packet)
        entries = [
            _new(InFlightTask, (place, message, message[6], message[6])) for place, message in enumerate(messages)
        ]
        self._count = len(entries)
        return entries

    def begin(self, place: int) -> None:
        """Note that the message at `place` is being handled."""
        if (times := self._begun[place]) < _MOST:
            self._begun[place] = times + 1

    def end(self, place: int) -> None:
        """Note that its handler is through, well or not."""
        if (times := self._ended[place]) < _MOST:
            self._ended[place] = times + 1

    def requeue(self, place: int) -> None:
        """Note that the message at `place` is somebody else's again."""
        self._gone[place] = _REQUEUED

    def answered(self, count: int) -> None:
        """Note that the answers of the first `count` messages are on their way."""
        _ANSWERED.pack_into(self._memory, 0, count)

    def clear(self) -> None:
        """Empty the slot: every message of the packet is answered, and its file removed."""
        PACKET_HEAD.pack_into(self._packet, 0, 0)
        self._memory[:_BEGUN_AT] = bytes(_BEGUN_AT)
        for notes in (self._begun, self._ended, self._gone):
            notes[: self._count] = bytes(self._count)

    def excuse(self) -> None:
        """Its process is about to be killed by us, who know that no message in here is to blame for it. Only for one
        that stands still; it may be called again."""
        if PACKET_HEAD.unpack_from(self._packet)[0]:
            for place in range(len(unpack(self._packet))):
                self._ended[place] = max(self._ended[place], self._begun[place])

    def expire(self, task_id: int) -> bool:
        """Note that this task took longer than it may. Only while its process, which is about to be killed for that,
        stands still. False when the task is not being handled here."""
        if not PACKET_HEAD.unpack_from(self._packet)[0]:
            return False
        for place, message in enumerate(unpack(self._packet)):
            if message.id == task_id and message.kind == Kind.TASK and self._begun[place] > self._ended[place]:
                self._gone[place] = _EXPIRED
                return True
        return False

    def move(self, into: "InFlight") -> None:
        """Put everything into a slot that is empty. A death in between leaves it in one of them, or in both."""
        (size,) = PACKET_HEAD.unpack_from(self._packet)
        into._memory[:_LEAD_AT] = self._memory[:_LEAD_AT]
        into._packet[PACKET_HEAD.size : size] = self._packet[PACKET_HEAD.size : size]
        PACKET_HEAD.pack_into(into._packet, 0, size)  # from here on it holds something
        self._held()
        self.clear()

    def leftover(self) -> list[InFlightTask]:
        """What a process that died, or left, did not answer."""
        return [each for each in self._held()[self._count_answered() :] if self._gone[each.place] != _REQUEUED]

    def answered_before(self) -> list[Message]:
        """What a process that died had answered; its files may be there still."""
        return [each.message for each in self._held()[: self._count_answered()] if self._gone[each.place] != _REQUEUED]

    def _held(self) -> list[InFlightTask]:
        if not PACKET_HEAD.unpack_from(self._packet)[0]:
            self._memory[:_LEAD_AT] = bytes(_LEAD_AT)  # its process may have died while it cleared the slot
            return []
        messages = unpack(self._packet)
        self._count = len(messages)
        return [self._entry(place, message) for place, message in enumerate(messages)]

    def _entry(self, place: int, message: Message) -> InFlightTask:
        begun = message.deaths + self._begun[place]
        if self._gone[place] == _EXPIRED:
            return InFlightTask(place, message._replace(codec=message.codec | TIMED_OUT), begun, _MOST + 1)
        return InFlightTask(place, message, begun, begun - self._ended[place])

    def _count_answered(self) -> int:
        (count,) = _ANSWERED.unpack_from(self._memory)
        return int(count)
