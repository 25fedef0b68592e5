"""engine/worker/pulse.py: rates and the oldest waiting task, from beats at the times that the test gives."""

import pytest

from engine.ipc.backlog import Backlog, region_bytes
from engine.ipc.board import Board, Cell
from engine.ipc.memory import anonymous
from engine.ipc.message import Kind, frame
from engine.worker.pulse import MOST_MARKS, Age, Pulse, Rate

SECOND_NS = 1_000_000_000


def test_a_rate_is_what_came_in_a_second_since_the_first_sample() -> None:
    rate = Rate()

    assert [rate.sample(100.0 + second, count) for second, count in enumerate([50, 60, 80])] == [0, 10, 15]


def test_a_rate_forgets_what_was_more_than_ten_seconds_ago() -> None:
    rate = Rate()
    for second in range(20):
        rate.sample(second, 1000 if second else 0)

    assert rate.sample(20.0, 1000) == 0
    assert rate.sample(21.0, 1030) == 3


def test_beats_that_come_late_do_not_raise_a_rate() -> None:
    rate = Rate()
    rate.sample(0.0, 0)

    assert rate.sample(40.0, 400) == 10
    assert rate.sample(41.0, 400) == pytest.approx(400 / 41)


def test_what_waits_longest_waits_since_the_beat_that_saw_it_first() -> None:
    age = Age()

    seen = [age.see(1, 5, 5), age.see(2, 5, 9), age.see(3, 5, 12), age.see(4, 8, 12), age.see(5, 10, 14)]

    assert seen == [1, 1, 1, 2, 3]


def test_what_comes_after_nothing_waited_waits_since_then() -> None:
    age = Age()
    age.see(1, 5, 5)

    assert age.see(7, 6, 6) == 7


def test_a_task_that_was_given_back_does_not_hide_those_before_it() -> None:
    age = Age()
    age.see(1, 3, 9)

    assert age.see(2, 11, 4) == 2, "11 and then 4, which came back: 11 is the first"
    assert age.see(3, 11, 12) == 2


def test_hours_of_waiting_take_little_memory_and_keep_the_beginning() -> None:
    age = Age()

    assert {age.see(second, 0, second) for second in range(5 * MOST_MARKS)} == {0}

    assert len(age._marks) <= MOST_MARKS
    assert age.see(9999, 4 * MOST_MARKS, 5 * MOST_MARKS) == pytest.approx(4 * MOST_MARKS, abs=10)


class Worker:
    """The pulse of event worker 0, and what it reads."""

    def __init__(self) -> None:
        self.board = Board(1, 1)
        self.board.put(0, Cell.PID, 4711)
        self.backlog = Backlog(anonymous("", region_bytes(2**16)))
        self.pulse = Pulse(0, self.board, self.backlog)

    def wait(self, *task_ids: int) -> None:
        for each in task_ids:
            self.backlog.append(each, frame(Kind.TASK, 0, 0, each, b"body"))
        self.board.put(0, Cell.WAITING, len(self.backlog))


def test_every_process_reads_the_rates_from_the_board() -> None:
    worker = Worker()
    worker.pulse.beat(10 * SECOND_NS)
    worker.board.add(0, Cell.ACCEPTED, 3)
    worker.board.add(0, Cell.DONE, 50)

    worker.pulse.beat(12 * SECOND_NS)

    stats = worker.board.snapshot(0)
    assert (stats.accepts_per_s, stats.tasks_done_per_s) == (1.5, 25)


def test_the_board_tells_since_when_the_oldest_task_waits() -> None:
    worker = Worker()
    worker.wait(7, 8)
    worker.pulse.beat(3 * SECOND_NS)
    worker.backlog.remove([7])
    worker.wait(9)

    worker.pulse.beat(4 * SECOND_NS)
    assert worker.board.get(0, Cell.OLDEST_NS) == 3 * SECOND_NS

    worker.backlog.remove([8])
    worker.pulse.beat(5 * SECOND_NS)
    assert worker.board.get(0, Cell.OLDEST_NS) == 4 * SECOND_NS

    worker.backlog.remove([9])
    worker.pulse.beat(6 * SECOND_NS)
    assert worker.board.get(0, Cell.OLDEST_NS) == 0
