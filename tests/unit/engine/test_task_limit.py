"""task_limit.py of engine/ipc and of engine/process: who takes too long for a task, and what becomes of them."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from engine.ipc.board import Board, Cell, State
from engine.ipc.in_flight import LEAD_BYTES, REGION_BYTES, slots_in
from engine.ipc.memory import anonymous
from engine.ipc.task_limit import TaskLimit
from engine.process.child import Readiness
from engine.process.children import Children, Role
from engine.process.signals import Mailbox, listening
from engine.process.task_limit import Expiry
from tests.unit.engine.starts import packet_of, task

FIRST, LAST = 2, 5
"""Places of two task workers with two seats each, behind one event worker."""


class Workers:
    """What the manager sees of them. `concurrency`: of one each, with one slot more."""

    def __init__(self, concurrency: int = 0) -> None:
        self.board = Board(1, 2, concurrency=concurrency)
        size = REGION_BYTES * (concurrency + 1)
        self.slots = {place: slots_in(anonymous("slots", size).view) for place in range(FIRST, LAST + 1)}

    def limit(self, timeout_s: float) -> TaskLimit:
        return TaskLimit(self.board, self.slots, timeout_s)

    def begin(self, place: int, task_id: int, since_s: float, slot: int = 0) -> None:
        """Have a task there that began so long ago."""
        packet = packet_of(task(task_id))

        def receive_into(room: memoryview) -> int:
            room[LEAD_BYTES : LEAD_BYTES + len(packet)] = packet
            return len(packet)

        self.slots[place][slot].take(receive_into)
        self.slots[place][slot].begin(0)
        self.board.put(place, Cell.TASK_ID, task_id)
        self.board.put(place, Cell.SINCE_NS, time.monotonic_ns() - int(since_s * 1e9))
        self.board.put(place, Cell.STATE, State.BUSY)


def test_who_is_over_the_limit_is_found_in_both_seats() -> None:
    workers = Workers()
    workers.begin(FIRST, 7, since_s=20)
    workers.begin(FIRST + 1, 8, since_s=5)
    workers.begin(LAST, 9, since_s=11)

    assert workers.limit(10).overdue() == [(1, 0), (2, 1)]


def test_who_does_nothing_is_never_over_the_limit() -> None:
    workers = Workers()
    workers.begin(FIRST, 7, since_s=20)
    workers.board.put(FIRST, Cell.STATE, State.IDLE)

    assert workers.limit(10).overdue() == []
    assert workers.limit(10).expire(1, 0) is None


def test_the_next_look_is_when_the_oldest_task_may_be_over() -> None:
    workers = Workers()
    assert workers.limit(10).next_look_in_s() == 10

    workers.begin(FIRST, 7, since_s=4)
    workers.begin(LAST, 8, since_s=7)

    assert 0 < workers.limit(10).next_look_in_s() <= 3


def test_a_task_over_the_limit_is_marked_in_whichever_slot_it_is() -> None:
    workers = Workers(concurrency=2)
    workers.begin(LAST, 8, since_s=30, slot=2)

    assert workers.limit(10).expire(2, 1) == 8
    assert [each.deaths for each in workers.slots[LAST][2].leftover()] == [256]


def test_one_that_came_to_its_end_meanwhile_is_not_marked() -> None:
    workers = Workers()
    workers.begin(FIRST, 7, since_s=30)
    workers.slots[FIRST][0].end(0)

    assert workers.limit(10).expire(1, 0) is None
    assert [each.deaths for each in workers.slots[FIRST][0].leftover()] == [0]


def test_one_that_began_meanwhile_is_not_marked() -> None:
    workers = Workers()
    workers.begin(FIRST, 7, since_s=1)

    assert workers.limit(10).expire(1, 0) is None
    assert [each.deaths for each in workers.slots[FIRST][0].leftover()] == [1]


def test_coroutines_get_time_to_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.ipc.task_limit.GRACE_S", 100.0)
    workers = Workers(concurrency=2)
    workers.begin(FIRST, 7, since_s=250)

    assert workers.limit(200).overdue() == []
    assert workers.limit(100).overdue() == [(1, 0)]


# ── those who are over ──────────────────────────────────────────────────────────────────────────


class OneOver:
    """Says that the one child takes too long, as long as `task_id` is given."""

    def __init__(self, task_id: int | None) -> None:
        self.task_id = task_id
        self.asked_while_it_stood_still: list[bool] = []
        self.pid = 0

    def overdue(self) -> list[tuple[int, int]]:
        return [(0, 0)]

    def next_look_in_s(self) -> float:
        return 0.0

    def expire(self, slot: int, seat: int) -> int | None:
        with open(f"/proc/{self.pid}/stat") as stat:
            self.asked_while_it_stood_still.append(stat.read().rpartition(")")[2].split()[0] == "T")
        return self.task_id


def works(slot: int, seat: int, readiness: Readiness) -> int:
    readiness.announce()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass
    return 0


def with_one_child(mailbox: Mailbox, on_kill: Callable[[int, int], None] = lambda *seat: None) -> Children:
    role = Role(lambda slot: f"child {slot}", [0], works)
    children = Children([role], mailbox, on_gone=lambda *seat: False, on_kill=on_kill)
    children.start(0, 0)
    return children


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, who is stopped gets to stop."""
    monkeypatch.setattr("engine.process.children._STOPS_WITHIN_S", 60.0)


def ended_by(pid: int, flags: int) -> os.waitid_result | None:
    return os.waitid(os.P_PID, pid, flags | os.WNOWAIT)


def test_who_takes_too_long_is_killed_and_what_is_beside_the_task_is_excused() -> None:
    excused: list[tuple[int, int]] = []
    with listening([signal.SIGCHLD]) as mailbox:
        children = with_one_child(mailbox, lambda *seat: excused.append(seat))
        limit = OneOver(7)
        limit.pid = children.child(0, 0).pid

        before = time.monotonic()
        look_at = Expiry(children, limit).enforce()

        ended_by(limit.pid, os.WEXITED)
        (death,) = children.reap()
    assert (death.killed_by, death.was_told) == (signal.SIGKILL, False)
    assert limit.asked_while_it_stood_still == [True]
    assert excused == [(0, 0)]
    assert look_at is not None
    assert before < look_at < time.monotonic() + 1


def test_who_is_through_meanwhile_goes_on() -> None:
    with listening([signal.SIGCHLD]) as mailbox:
        children = with_one_child(mailbox)
        limit = OneOver(None)
        limit.pid = children.child(0, 0).pid

        for _ in range(3):
            Expiry(children, limit).enforce()
            ended_by(limit.pid, os.WCONTINUED)

        assert limit.asked_while_it_stood_still == [True] * 3
        os.kill(limit.pid, signal.SIGKILL)
        ended_by(limit.pid, os.WEXITED)
        (death,) = children.reap()
    assert death.killed_by == signal.SIGKILL


def test_one_that_is_gone_already_is_left_alone() -> None:
    with listening([signal.SIGCHLD]) as mailbox:
        children = Children([Role(lambda slot: "child", [0], works)], mailbox, lambda *_: False, lambda *_: None)

        assert Expiry(children, OneOver(7)).enforce() is not None


def test_without_a_limit_nobody_looks() -> None:
    with listening([signal.SIGCHLD]) as mailbox:
        children = Children([Role(lambda slot: "child", [0], works)], mailbox, lambda *_: False, lambda *_: None)

        assert Expiry(children, None).enforce() is None
