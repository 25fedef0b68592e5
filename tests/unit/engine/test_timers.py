"""engine/timers.py: what is called when, by a clock that the test moves."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from engine.errors import UsageError
from engine.timers import LONGEST_MS, Timers


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.sooner = 0
        self.work: Future[None] | None = None
        self.timers = Timers(self._run, on_sooner=self._note_sooner, clock=lambda: self.now_s)

    def _note_sooner(self) -> None:
        self.sooner += 1

    def _run(self, call: Callable[[], Any]) -> Future[None] | None:
        call()
        return self.work

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds
        self.timers.run_due()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls() -> list[Any]:
    return []


def test_after_calls_once_and_not_before_its_time(clock: Clock, calls: list[Any]) -> None:
    clock.timers.after(50, calls.append, ("x",))

    clock.pass_by(0.049)
    assert calls == []
    clock.pass_by(0.002)
    clock.pass_by(5)
    assert calls == ["x"]


def test_a_tick_calls_again_and_again_without_drifting(clock: Clock, calls: list[Any]) -> None:
    clock.timers.tick(100, lambda: calls.append(round(clock.now_s - 100, 3)), ())

    for _ in range(4):
        clock.pass_by(0.13)  # 0.13, 0.26, 0.39, 0.52: each late, the next one at its own time all the same

    assert calls == [0.13, 0.26, 0.39, 0.52]
    assert clock.timers.next_in_s() == pytest.approx(0.08)


def test_ticks_that_a_busy_process_was_late_for_are_left_out(clock: Clock, calls: list[Any]) -> None:
    clock.timers.tick(100, calls.append, (1,))

    clock.pass_by(1.05)

    assert calls == [1]
    assert clock.timers.next_in_s() == pytest.approx(0.05)


def test_a_tick_is_left_out_while_the_one_before_is_at_work(clock: Clock, calls: list[Any]) -> None:
    clock.work = Future()
    clock.timers.tick(100, calls.append, (1,))

    clock.pass_by(0.1)
    clock.pass_by(0.1)
    assert calls == [1]
    clock.work.set_result(None)
    clock.pass_by(0.1)
    assert calls == [1, 1]


def test_what_is_cleared_is_not_called(clock: Clock, calls: list[Any]) -> None:
    first = clock.timers.after(10, calls.append, (1,))
    second = clock.timers.tick(10, calls.append, (2,))

    assert clock.timers.clear(first)
    clock.pass_by(0.01)
    assert clock.timers.clear(second)
    clock.pass_by(1)

    assert calls == [2]
    assert not clock.timers.clear(second)
    assert not clock.timers.clear(first)
    assert not clock.timers.clear(99)
    assert clock.timers.next_in_s() is None


def test_a_tick_may_clear_itself_and_a_timer_another_one_that_is_due(clock: Clock, calls: list[Any]) -> None:
    def once() -> None:
        calls.append("tick")
        clock.timers.clear(tick)
        clock.timers.clear(other)

    tick = clock.timers.tick(10, once, ())
    other = clock.timers.after(11, calls.append, ("other",))

    clock.pass_by(1)

    assert calls == ["tick"]


def test_a_timer_is_gone_once_it_was_called(clock: Clock) -> None:
    timer = clock.timers.after(10, lambda: None, ())

    clock.pass_by(0.01)

    assert not clock.timers.clear(timer)


def test_timers_are_called_in_the_order_of_their_times(clock: Clock, calls: list[Any]) -> None:
    for delay_ms in (30, 10, 20):
        clock.timers.after(delay_ms, calls.append, (delay_ms,))

    clock.pass_by(1)

    assert calls == [10, 20, 30]


def test_who_waits_hears_of_a_timer_that_is_due_before_all_others_and_of_no_other(clock: Clock) -> None:
    clock.timers.after(100, lambda: None, ())
    clock.timers.after(200, lambda: None, ())
    assert clock.sooner == 1
    clock.timers.after(50, lambda: None, ())
    assert clock.sooner == 2
    assert clock.timers.next_in_s() == pytest.approx(0.05)


def test_a_timer_that_adds_itself_anew_holds_up_nobody(clock: Clock, calls: list[Any]) -> None:
    def again() -> None:
        calls.append(1)
        clock.timers.after(1, again, ())

    clock.timers.after(1, again, ())
    clock.pass_by(0.5)

    assert calls == [1]


def test_ids_are_positive_and_never_the_same(clock: Clock) -> None:
    ids = [clock.timers.after(10, lambda: None, ()) for _ in range(5)]
    clock.pass_by(1)
    ids += [clock.timers.tick(10, lambda: None, ()) for _ in range(5)]

    assert min(ids) > 0
    assert len(set(ids)) == 10


def test_timers_that_are_made_and_cleared_do_not_pile_up(clock: Clock) -> None:
    for _ in range(10_000):
        clock.timers.clear(clock.timers.after(LONGEST_MS, lambda: None, ()))

    assert len(clock.timers._due) < 200


def test_nothing_is_called_once_all_are_cleared(clock: Clock, calls: list[Any]) -> None:
    clock.timers.tick(10, calls.append, (1,))
    clock.timers.after(10, calls.append, (2,))

    clock.timers.clear_all()
    clock.pass_by(1)

    assert calls == []


@pytest.mark.parametrize("delay_ms", [0, -1, 0.5, LONGEST_MS + 1, "10", None, True, float("nan")])
def test_a_time_that_cannot_be_is_refused(clock: Clock, delay_ms: Any) -> None:
    for add in (clock.timers.tick, clock.timers.after):
        with pytest.raises(UsageError, match="ms"):
            add(delay_ms, lambda: None, ())
    assert clock.timers.next_in_s() is None


def test_what_cannot_be_called_is_refused(clock: Clock) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        clock.timers.after(1, "print", ())  # type: ignore[arg-type]
