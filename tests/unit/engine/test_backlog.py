"""engine/ipc/backlog.py: what waits is there, whole and in order, whenever its process dies."""

import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.ipc import backlog as module
from engine.ipc.backlog import Backlog, region_bytes
from engine.ipc.memory import Folder, Region, anonymous
from engine.ipc.message import HEAD_BYTES, INLINE_BYTES, PACKET_BYTES, PACKET_HEAD, Kind, Message, message_at, to_bytes

LARGEST = HEAD_BYTES + INLINE_BYTES


def task(number: int, body: bytes = b"body") -> Message:
    return Message(Kind.TASK, 0, 0, number, body, target=number % 5, deaths=number % 3)


def append(backlog: Backlog, *messages: Message) -> None:
    for each in messages:
        backlog.append(each.id, to_bytes(each))


def found(region: Region) -> list[Message]:
    """What another process finds in this memory."""
    return Backlog(region).load()


def copy_of(region: Region) -> Region:
    copied = Region(region.size)
    copied.view[:] = region.view
    return copied


@contextmanager
def looking_at_every_line(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` before each line of backlog.py: between any two of them the process may be killed."""

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != module.__file__:
            return None
        if event == "line":
            sys.settrace(None)
            look()
            sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


# ── the plain case ──────────────────────────────────────────────────────────────────────────────


def test_new_memory_is_empty() -> None:
    backlog = Backlog(anonymous("", region_bytes(1000)))

    assert (len(backlog), backlog.bytes, backlog.load()) == (0, 0, [])


def read(backlog: Backlog, task_id: int) -> bytes:
    """One message as it travels."""
    ((_, packet),) = backlog.packets([task_id], PACKET_BYTES)
    return packet[PACKET_HEAD.size :]


def test_messages_are_read_as_they_travel_in_the_order_they_came() -> None:
    backlog = Backlog(anonymous("", region_bytes(1000)))
    append(backlog, task(7), task(3, b""), task(9, b"x" * 100))

    assert backlog.load() == [task(7), task(3, b""), task(9, b"x" * 100)]
    assert read(backlog, 3) == to_bytes(task(3, b""))
    assert backlog.bytes == 3 * HEAD_BYTES + 104


def test_one_that_is_removed_is_gone_and_its_bytes_with_it() -> None:
    backlog = Backlog(anonymous("", region_bytes(1000)))
    append(backlog, task(1), task(2), task(3))

    backlog.remove([2])

    assert 2 not in backlog
    assert backlog.load() == [task(1), task(3)]
    assert backlog.bytes == 2 * (HEAD_BYTES + 4)


def test_a_cleared_one_is_empty() -> None:
    region = anonymous("", region_bytes(1000))
    backlog = Backlog(region)
    append(backlog, *map(task, range(10)))

    backlog.remove([each.id for each in backlog.load()])

    assert (len(backlog), backlog.bytes, found(region)) == (0, 0, [])


def test_loading_sees_what_another_process_wrote() -> None:
    region = anonymous("", region_bytes(1000))
    mine, theirs = Backlog(region), Backlog(region)
    append(theirs, task(1), task(2))
    theirs.remove([1])

    assert mine.load() == [task(2)]
    assert (1 in mine, 2 in mine, mine.bytes) == (False, True, HEAD_BYTES + 4)


# ── room ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("max_bytes", [0, 1, HEAD_BYTES, 4 * LARGEST, 10 * LARGEST])
def test_there_is_room_for_the_most_bytes_however_they_come_and_go(max_bytes: int) -> None:
    """The oldest stays for ever, which is worst for those that go."""
    region = anonymous("", region_bytes(max_bytes))
    backlog = Backlog(region)
    append(backlog, task(0, b""))

    for number in range(1, 200):
        append(backlog, task(number, b"x" * INLINE_BYTES))
        while len(backlog) > 1 and backlog.bytes + LARGEST > max_bytes:
            backlog.remove([next(each for each in range(1, 200) if each in backlog)])

    assert [each.id for each in found(region)] == [each for each in range(200) if each in backlog]
    assert 0 in backlog


def resident_bytes(region: Region) -> int:
    """Pages of a mapping that are in memory. Source: proc(5), smaps; its address is that of its first byte."""
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(region.view))
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        first, dash, rest = line.partition("-")
        if dash and " " in rest and first.isalnum() and int(first, 16) <= address < int(rest.split()[0], 16):
            return next(int(each.split()[1]) for each in lines if each.startswith("Rss:")) * 1024
    raise AssertionError("no such mapping")


@pytest.mark.parametrize("stays", [False, True], ids=["nothing stays", "a few stay"])
def test_memory_is_given_back_when_what_waited_is_gone(stays: bool) -> None:
    region = anonymous("", region_bytes(8 * 2**20))
    backlog = Backlog(region)
    count = 6 * 2**20 // LARGEST
    append(backlog, *(task(number, b"x" * INLINE_BYTES) for number in range(count)))
    assert resident_bytes(region) > 5 * 2**20

    for number in range(3 if stays else 0, count):
        backlog.remove([number])
    append(backlog, task(count))

    assert resident_bytes(region) < 2**20
    assert [each.id for each in found(region)] == [*range(3 if stays else 0), count]


def test_a_full_disk_refuses_a_message_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    region = Folder(tmp_path, 1).make("backlog", region_bytes(1000))
    backlog = Backlog(region)
    append(backlog, task(1))

    def full(start: int, end: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(region, "reserve", full)
    with pytest.raises(OSError, match="No space"):
        append(backlog, task(2))

    assert 2 not in backlog
    assert (backlog.bytes, backlog.load()) == (HEAD_BYTES + 4, [task(1)])


# ── death ───────────────────────────────────────────────────────────────────────────────────────


def check_every_line(region: Region, act: Callable[[], None], before: list[Message], after: list[Message]) -> None:
    seen = []
    with looking_at_every_line(lambda: seen.append(found(copy_of(region)))):
        act()

    assert len(seen) > 2
    assert all(each in (before, after) for each in seen)
    assert found(region) == after


def test_a_death_while_a_message_comes_leaves_it_whole_or_not_at_all() -> None:
    region = anonymous("", region_bytes(1000))
    backlog = Backlog(region)
    append(backlog, task(1))

    check_every_line(region, lambda: append(backlog, task(2)), [task(1)], [task(1), task(2)])


@pytest.mark.parametrize("last", [False, True], ids=["one of two", "the last"])
def test_a_death_while_a_message_goes_leaves_the_others(last: bool) -> None:
    region = anonymous("", region_bytes(1000))
    backlog = Backlog(region)
    others = [] if last else [task(2)]
    append(backlog, task(1), *others)

    check_every_line(region, lambda: backlog.remove([1]), [task(1), *others], others)


def test_a_message_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    region = anonymous("", region_bytes(0))
    backlog = Backlog(region)
    half = (region.size - mmap.PAGESIZE) // 2
    large = [task(number, b"x" * 5000) for number in range(half // (HEAD_BYTES + 5000))]
    append(backlog, *large)

    for _ in range(2):
        with pytest.raises(OverflowError):
            append(backlog, task(99, b"y" * 5000))

    assert found(region) == large
    assert 99 not in backlog
    backlog.remove([0])
    append(backlog, task(100, b"z" * 5000))
    assert found(region) == [*large[1:], task(100, b"z" * 5000)]


def test_memory_that_cannot_be_given_back_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every file system can: the messages are in the other half by then, and the next go there as well."""
    region = anonymous("", region_bytes(4 * 2**20))
    backlog = Backlog(region)
    monkeypatch.setattr(mmap, "MADV_REMOVE", -1)
    body = b"x" * INLINE_BYTES
    append(backlog, *[task(number, body) for number in range(300)])

    backlog.remove(range(299))
    append(backlog, task(300, body))
    assert found(region) == [task(299, body), task(300, body)]

    backlog.remove([299, 300])
    append(backlog, task(301, body))
    assert found(region) == [task(301, body)]


def test_a_death_while_the_other_half_is_begun_leaves_all() -> None:
    region = anonymous("", region_bytes(0))
    backlog = Backlog(region)
    half = (region.size - mmap.PAGESIZE) // 2
    large = [task(number, b"x" * 5000) for number in range(half // (HEAD_BYTES + 5000))]
    append(backlog, *large)
    backlog.remove([0])
    backlog.remove([2])
    stay = [each for each in large if each.id not in (0, 2)]
    new = task(9, b"y" * 5000)

    check_every_line(region, lambda: append(backlog, new), stay, [*stay, new])


class Waiting(RuleBasedStateMachine):
    """Any sequence; after each step another process loads the memory. The model is a dict, which keeps its order."""

    MAX_BYTES = 3 * LARGEST

    def __init__(self) -> None:
        super().__init__()
        self.region = anonymous("", region_bytes(self.MAX_BYTES))
        self.backlog = Backlog(self.region)
        self.model: dict[int, bytes] = {}
        self.next = 0

    def room(self) -> int:
        return self.MAX_BYTES - sum(map(len, self.model.values())) - HEAD_BYTES

    @precondition(lambda self: self.room() >= 0)
    @rule(length=st.sampled_from([0, 1, 100, 4000, INLINE_BYTES]))
    def append(self, length: int) -> None:
        packed = to_bytes(task(self.next, b"x" * min(length, self.room())))
        self.backlog.append(self.next, packed)
        self.model[self.next] = packed
        self.next += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(list(self.model)))
        self.backlog.remove([task_id])
        del self.model[task_id]

    @precondition(lambda self: self.model)
    @rule()
    def come_back_later(self) -> None:
        """What is sent, and given back, waits behind the others."""
        task_id = next(iter(self.model))
        packed = read(self.backlog, task_id)
        self.backlog.remove([task_id])
        self.backlog.append(task_id, packed)
        del self.model[task_id]
        self.model[task_id] = packed

    @rule()
    def die(self) -> None:
        self.backlog = Backlog(self.region)

    @rule()
    def clear(self) -> None:
        self.backlog.remove([each.id for each in self.backlog.load()])
        self.model.clear()

    @invariant()
    def another_process_finds_exactly_what_waits(self) -> None:
        expected = [message_at(memoryview(packed), 0) for packed in self.model.values()]
        assert found(self.region) == expected
        assert [read(self.backlog, task_id) for task_id in self.model] == list(self.model.values())
        assert len(self.backlog) == len(self.model)
        assert self.backlog.bytes == sum(map(len, self.model.values()))


TestWaiting = pytest.mark.filterwarnings("ignore")(Waiting.TestCase)
TestWaiting.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def test_what_another_process_gave_back_to_the_disk_is_reserved_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manager's notes of it are as old as the start, and each process begins with those."""
    region = Folder(tmp_path, 4711).make("1-backlog-0", region_bytes(4 * 2**20))
    backlog = Backlog(region)
    for number in range(300):
        backlog.append(number, to_bytes(Message(Kind.TASK, 0, 0, number, bytes(8000))))
    pid = os.fork()
    if pid == 0:
        backlog.load()
        backlog.remove(range(300))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    reserved: list[int] = []
    allocate = os.posix_fallocate

    def noting(descriptor: int, start: int, length: int) -> None:
        reserved.append(start)
        allocate(descriptor, start, length)

    monkeypatch.setattr(os, "posix_fallocate", noting)
    backlog.load()
    backlog.append(300, to_bytes(Message(Kind.TASK, 0, 0, 300, b"body")))

    assert reserved == [0]
