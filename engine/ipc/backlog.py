"""Keeps the tasks that wait in one event worker, in shared memory that outlives it.

half in use u64 | end of half 0 u64 | end of half 1 u64 | … | half 0 | half 1

A half is messages one after the other, as they travel; the kind of one that is gone is 0. Adding one writes it behind
the last and then moves the end; a half that is full is copied, without what is gone, into the other one, which then
is the one in use. So at every moment what is here is whole.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from engine.ipc.memory import Region
from engine.ipc.message import HEAD_BYTES, INLINE_BYTES, PACKET_HEAD, Message, message_at

_HEADER_BYTES: Final = mmap.PAGESIZE
_USED: Final = 0
_END: Final = 1
_WORTH_RELEASING: Final = 2**20
_EXTRA = 2 * (HEAD_BYTES + INLINE_BYTES)
NOTED_BYTES: Final = 280
"""What an event worker keeps of each task that waits beside its message, in objects of Python: measured, and a bit."""


def region_bytes(max_bytes: int) -> int:
    """Return the size of a region for `max_bytes` of messages that wait, bytes."""
    half = max_bytes + max_bytes // 2 + _EXTRA  # a half that is full is a third empty
    pages = -(-half // mmap.PAGESIZE)
    return _HEADER_BYTES + 2 * pages * mmap.PAGESIZE


class Backlog:
    """Messages by task id, in the order they came. One process at a time works with it."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._is_in_file = region.is_in_file
        self._view = region.view
        self._cells = region.view[:24].cast("Q")
        self._half_bytes = (region.size - _HEADER_BYTES) // 2
        self._places: dict[int, tuple[int, int]] = {}
        """Start and end of each message, by task id."""
        self._base = 0
        self._end = 0
        self._end_cell = _END
        self.bytes = 0
        """Size of all messages."""
        self.kept_bytes = 0
        """The same, and what an event worker keeps of each beside it."""
        self.load()

    def load(self) -> list[Message]:
        """Read the memory anew, which another process may have written to; return the messages, in order."""
        self._region.forget_reserved()
        self._base = _HEADER_BYTES + self._cells[_USED] * self._half_bytes
        self._end_cell = _END + self._cells[_USED]
        self._end = self._cells[self._end_cell]
        found = []
        self._places = {}
        for start, message in entries(self._view):
            self._places[message.id] = start, start + HEAD_BYTES + len(message.body)
            found.append(message)
        self.bytes = sum(end - start for start, end in self._places.values())
        self.kept_bytes = self.bytes + NOTED_BYTES * len(self._places)
        return found

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._places

    @property
    def first_id(self) -> int:
        """Id of the task that came first of those here. Takes a while after many were removed."""
        return next(iter(self._places))

    @property
    def last_id(self) -> int:
        return next(reversed(self._places))

    def append(self, task_id: int, message: bytes) -> None:
        """Keep a message. Raises OSError when the memory is a file and the disk is full, OverflowError when there is no
        room for it, which the caller checks before."""
        size = len(message)
        if self._end + size > self._half_bytes:
            if self.bytes + size > self._half_bytes:
                raise OverflowError(f"{size} bytes do not fit behind {self.bytes} of {self._half_bytes}")
            self._change_halves()
        elif self._end > _WORTH_RELEASING and self.bytes < self._end // 4:
            self._change_halves()
        start = self._base + self._end
        end = start + size
        if self._is_in_file:
            self._region.reserve(start, end)
        self._view[start:end] = message
        self._end += size
        self.bytes += size
        self.kept_bytes += size + NOTED_BYTES
        self._cells[self._end_cell] = self._end
        self._places[task_id] = start, end

    def packets(self, task_ids: Sequence[int], most_bytes: int) -> Iterator[tuple[Sequence[int], bytes]]:
        """Yield packets of at most `most_bytes` with these messages, in order, each with the ids of its tasks."""
        first, size = 0, PACKET_HEAD.size
        held: list[memoryview] = []
        run_start = run_end = 0  # messages that lie one behind the other are copied at once
        for number, task_id in enumerate(task_ids):
            start, end = self._places[task_id]
            if size + end - start > most_bytes and number > first:
                held.append(self._view[run_start:run_end])
                yield task_ids[first:number], PACKET_HEAD.pack(size) + b"".join(held)
                first, size, held, run_start, run_end = number, PACKET_HEAD.size, [], start, start
            if start != run_end:
                held.append(self._view[run_start:run_end])
                run_start = start
            run_end = end
            size += end - start
        held.append(self._view[run_start:run_end])
        yield task_ids[first:], PACKET_HEAD.pack(size) + b"".join(held)

    def remove(self, task_ids: Iterable[int]) -> None:
        """Remove messages: they were sent, or are done."""
        places, view = self._places, self._view
        for task_id in task_ids:
            start, end = places.pop(task_id)
            view[start] = 0
            self.bytes -= end - start
            self.kept_bytes -= end - start + NOTED_BYTES
        if not places:
            self._cells[self._end_cell] = 0
            self._release(self._base, self._end)
            self._end = 0

    def _change_halves(self) -> None:
        """Copy what is not gone into the other half, and go on there."""
        other = 1 - self._cells[_USED]
        base = _HEADER_BYTES + other * self._half_bytes
        self._region.reserve(base, base + self.bytes)
        at = base
        places = {}
        for task_id, (start, end) in self._places.items():
            self._view[at : at + end - start] = self._view[start:end]
            places[task_id] = at, at + end - start
            at += end - start
        self._end_cell = _END + other
        self._cells[self._end_cell] = at - base
        self._cells[_USED] = other
        left = self._base, self._end
        self._places, self._base, self._end = places, base, at - base
        self._release(*left)

    def _release(self, base: int, used: int) -> None:
        """Return the memory to the system, where much of it was used."""
        if used > _WORTH_RELEASING:
            self._region.release(base, base + -(-used // mmap.PAGESIZE) * mmap.PAGESIZE)


def entries(memory: memoryview) -> Iterator[tuple[int, Message]]:
    """Yield each message in such a memory, and where it begins."""
    used, *ends = struct.unpack_from("=3Q", memory)
    at = _HEADER_BYTES + used * ((len(memory) - _HEADER_BYTES) // 2)
    end = at + ends[used]
    while at < end:
        message = message_at(memory, at)
        if message.kind:
            yield at, message
        at += HEAD_BYTES + len(message.body)
