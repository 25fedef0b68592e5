"""What a task worker has in hand, in shared memory, where its death cannot take it.

answered u32 | begun u8 × 4096 | ended u8 × 4096 | gone u8 × 4096 | packet

The kernel writes a packet straight into this memory when it is taken from the socket: at no moment is a task
neither in the socket nor here. begun and ended count for each place in the packet;
gone is 1 where the message was given back. The packet is as it came, with its own length in front.
"""

import mmap
import struct
from collections.abc import Callable
from typing import NamedTuple

from engine.ipc.message import PACKET_BYTES, PACKET_HEAD, Message, unpack

_ANSWERED = struct.Struct("=I")
_PLACES = PACKET_BYTES // 16  # a message is not shorter than its head
_BEGUN_AT = _ANSWERED.size
_ENDED_AT = _BEGUN_AT + _PLACES
_GONE_AT = _ENDED_AT + _PLACES
_PACKET_AT = _GONE_AT + _PLACES
_MOST = 255


class Held(NamedTuple):
    """A message in hand: its place in the packet, from 0, and what became of it in processes that are dead."""

    place: int
    message: Message
    begun: int
    """How often it was begun: it may have ended well, and only its answer was lost."""
    deaths: int
    """How many processes died while handling it."""


class Hand:
    """One task worker's slot. Made before the first fork; only the process that has its worker id touches it."""

    def __init__(self) -> None:
        # a message of INLINE_BYTES may follow a packet that is all but full
        self._memory = memoryview(mmap.mmap(-1, _PACKET_AT + PACKET_BYTES + mmap.PAGESIZE))
        self._begun = self._memory[_BEGUN_AT:_ENDED_AT]
        self._ended = self._memory[_ENDED_AT:_GONE_AT]
        self._gone = self._memory[_GONE_AT:_PACKET_AT]
        self._packet = self._memory[_PACKET_AT:]

    def take(self, receive_into: Callable[[memoryview], int]) -> list[Held]:
        """Let `receive_into` put the next packet here and return what it holds. The hand must be empty."""
        size = receive_into(self._packet)
        return [Held(place, message, 0, 0) for place, message in enumerate(unpack(self._packet))] if size else []

    def begin(self, place: int) -> None:
        """Note that the message at `place` is being handled."""
        self._begun[place] = min(_MOST, self._begun[place] + 1)

    def end(self, place: int) -> None:
        """Note that its handler is through, well or not."""
        self._ended[place] = min(_MOST, self._ended[place] + 1)

    def give_back(self, place: int) -> None:
        """Note that the message at `place` is somebody else's again."""
        self._gone[place] = 1

    def answered(self, count: int) -> None:
        """Note that the answers of the first `count` messages are on their way."""
        _ANSWERED.pack_into(self._memory, 0, count)

    def clear(self) -> None:
        """Empty the hand: every message of the packet is answered, and its file removed."""
        PACKET_HEAD.pack_into(self._packet, 0, 0)
        self._memory[:_PACKET_AT] = bytes(_PACKET_AT)

    def leftover(self) -> list[Held]:
        """What a process that died, or left, did not answer."""
        return [each for each in self._held()[self._count_answered() :] if not self._gone[each.place]]

    def answered_before(self) -> list[Message]:
        """What a process that died had answered; its files may be there still."""
        return [each.message for each in self._held()[: self._count_answered()] if not self._gone[each.place]]

    def _held(self) -> list[Held]:
        if not PACKET_HEAD.unpack_from(self._packet)[0]:
            return []
        return [
            Held(place, message, self._begun[place], self._begun[place] - self._ended[place])
            for place, message in enumerate(unpack(self._packet))
        ]

    def _count_answered(self) -> int:
        (count,) = _ANSWERED.unpack_from(self._memory)
        return int(count)
