"""engine/task_worker: whatever it dies of, and wherever, no task is lost."""

import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.ipc.board import Cell, State
from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import Kind, Message
from engine.task_worker import requeuer, sync_runner
from engine.task_worker.task_worker import TaskWorker
from tests.unit.engine.lives import EVENT_WORKER, OTHER_SEAT, TASK_WORKER, Fate, Killed, World
from tests.unit.engine.starts import packet_of


@pytest.fixture(autouse=True)
def nothing_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks for long tasks would outlive a death that is an exception."""
    monkeypatch.setattr(requeuer.Requeuer, "watch", lambda self: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=["answers together", "answers one by one"])
def answering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    at_once = request.param == "answers one by one"
    monkeypatch.setattr(sync_runner, "_ANSWER_WITHIN_NS", -1 if at_once else 10**12)
    return str(request.param)


SMALL, LARGE = "small", "large" * 10_000


def handle(world: World, task_id: int, source: int, data: Any) -> Any:
    return data.upper()


# ── the plain case ──────────────────────────────────────────────────────────────────────────────


def test_tasks_are_handled_in_order_and_answered(world: World, answering: str) -> None:
    seen = []
    world.events.register("task", lambda server, *args: seen.append(args) or args[2])
    world.submit(b"raw", "text", {"an": "object"})

    assert world.live()

    assert seen == [(0, EVENT_WORKER, b"raw"), (1, EVENT_WORKER, "text"), (2, EVENT_WORKER, {"an": "object"})]
    assert world.answers() == [(Kind.FINISH, 0, b"raw"), (Kind.FINISH, 1, "text"), (Kind.FINISH, 2, {"an": "object"})]


def test_none_ends_a_task_without_a_result(world: World) -> None:
    world.events.register("task", lambda *args: None)
    world.submit(b"x")

    world.live()

    assert world.answers() == [(Kind.DONE, 0, b"")]


@pytest.mark.parametrize("attempt", ["return after finish", "finish twice"])
def test_a_second_finish_raises_and_the_first_counts(world: World, attempt: str) -> None:
    def task(world: World, *args: Any) -> Any:
        world.here.finish("first")
        if attempt == "finish twice":
            world.here.finish("second")
        return "second"

    world.events.register("task", task)
    world.submit(b"x")

    world.live()

    assert world.answers() == [(Kind.FINISH, 0, "first")]


def test_how_long_its_tasks_take_is_told_at_once_for_a_long_one_and_little_by_little_for_quick_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.accumulate([0, 0, 1000, 5000, 1000, 1000])
    told: list[int] = []

    def task(world: World, *args: Any) -> None:
        told.append(world.board.get(TASK_WORKER, Cell.MEAN_NS))

    world.events.register("task", task)
    world.submit(*"abcd")
    monkeypatch.setattr(sync_runner.time, "monotonic_ns", lambda: next(clock))

    world.live()

    told.append(world.board.get(TASK_WORKER, Cell.MEAN_NS))
    assert told == [0, 0, 1000, 5000, 4000]


# ── death at every step ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("next_place", [TASK_WORKER, OTHER_SEAT], ids=["same seat", "other seat"])
@pytest.mark.parametrize(
    "bodies",
    [[SMALL], [LARGE], [SMALL, SMALL, SMALL], [LARGE, SMALL, LARGE]],
    ids=["one small", "one large", "three small", "large and small"],
)
def test_no_task_is_lost_wherever_a_task_worker_dies(
    tmp_path: Path, answering: str, bodies: list[str], next_place: int
) -> None:
    for dies_at in itertools.count(1):
        directory = tmp_path / str(dies_at)
        directory.mkdir()
        world = World(directory)
        world.events.register("task", handle)
        world.submit(*bodies)
        was_killed = not world.live(Fate(dies_at))

        world.live_on(next_place)

        answers = world.answers()
        expected = {(Kind.FINISH, number, body.upper()) for number, body in enumerate(bodies)}
        assert set(answers) == expected, f"died at step {dies_at}"
        assert world.left() == []
        assert world.spill.count() == 0, f"died at step {dies_at}: {os.listdir(directory)}"
        if not was_killed:
            assert Counter(answers).most_common(1)[0][1] == 1
            return


def test_no_task_is_lost_when_two_task_workers_die_one_after_the_other(tmp_path: Path, answering: str) -> None:
    steps = Fate()
    world = World(tmp_path)
    world.events.register("task", handle)
    world.submit(SMALL, LARGE, SMALL)
    world.live(steps)

    for first, second in itertools.product(range(1, steps.steps, 5), repeat=2):
        directory = tmp_path / f"{first}-{second}"
        directory.mkdir()
        world = World(directory)
        world.events.register("task", handle)
        world.submit(SMALL, LARGE, SMALL)
        world.live(Fate(first), TASK_WORKER)
        world.live(Fate(second), OTHER_SEAT)

        world.live_on(TASK_WORKER)

        assert set(world.answers()) == {
            (Kind.FINISH, 0, "SMALL"),
            (Kind.FINISH, 1, LARGE.upper()),
            (Kind.FINISH, 2, "SMALL"),
        }, f"died at steps {first} and {second}"
        assert world.spill.count() == 0, f"died at steps {first} and {second}"


# ── attempts ────────────────────────────────────────────────────────────────────────────────────


def dying(at: Callable[[int, int], bool], attempts: list[tuple[int, int]]) -> Any:
    """A task handler that notes id and attempt, and dies where `at` says so."""

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        attempts.append((task_id, world.here.attempt))
        if at(task_id, world.here.attempt):
            raise Killed
        return data

    return task


def test_a_task_delivered_again_says_so(world: World) -> None:
    attempts: list[tuple[int, int]] = []
    world.events.register("task", dying(lambda task_id, attempt: attempt < 3, attempts))
    world.submit("x")

    world.live_on()

    assert attempts == [(0, 1), (0, 2), (0, 3)]
    assert world.answers() == [(Kind.FINISH, 0, "x")]
    assert world.board.get(TASK_WORKER, Cell.REDELIVERED) == 2


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_a_task_that_kills_each_time_ends_as_lost(tmp_path: Path, most: int) -> None:
    attempts: list[tuple[int, int]] = []
    world = World(tmp_path, task_max_attempts=most)
    world.events.register("task", dying(lambda task_id, attempt: True, attempts))
    world.submit(LARGE)

    world.live_on()

    assert [attempt for _, attempt in attempts] == list(range(1, most + 1))
    assert world.answers() == [(Kind.LOST, 0, most)]
    assert world.spill.count() == 0


def test_the_tasks_around_one_that_kills_are_handled_and_not_counted_as_tried(world: World, answering: str) -> None:
    attempts: list[tuple[int, int]] = []
    world.events.register("task", dying(lambda task_id, attempt: task_id == 1, attempts))
    world.submit("before", "poison", "after", "last")

    world.live_on()

    assert set(world.answers()) == {
        (Kind.FINISH, 0, "before"),
        (Kind.LOST, 1, 3),
        (Kind.FINISH, 2, "after"),
        (Kind.FINISH, 3, "last"),
    }
    assert [each for each in attempts if each[0] in (2, 3)] == [(2, 1), (3, 1)]


def test_a_task_whose_answer_was_lost_with_its_worker_is_marked_as_delivered_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_runner, "_ANSWER_WITHIN_NS", 10**12)
    attempts: list[tuple[int, int]] = []
    world.events.register("task", dying(lambda task_id, attempt: (task_id, attempt) == (1, 1), attempts))
    world.submit("answered too late", "kills once")

    world.live_on()

    assert attempts == [(0, 1), (1, 1), (0, 2), (1, 2)]


def test_two_tasks_that_kill_in_turn_do_not_go_on_for_ever(world: World, answering: str) -> None:
    attempts: list[tuple[int, int]] = []
    world.events.register("task", dying(lambda task_id, attempt: True, attempts))
    world.submit("one", "two")

    world.live_on()

    assert sorted(world.answers()) == [(Kind.LOST, 0, 3), (Kind.LOST, 1, 3)]
    assert world.lives <= 7


def test_a_pipe_message_that_kills_each_time_is_given_up(world: World) -> None:
    heard = []

    def pipe_message(world: World, source: int, message: Any) -> None:
        heard.append(message)
        raise Killed

    world.events.register("task", handle)
    world.events.register("pipe_message", pipe_message)
    world.submit("poison", kind=Kind.PIPE)
    world.submit("task")

    world.live_on()

    assert heard == ["poison"] * 3
    assert world.answers() == [(Kind.FINISH, 0, "TASK")]


# ── the thread that gives back ──────────────────────────────────────────────────────────────────


def test_a_look_between_two_tasks_makes_no_answered_one_unanswered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[tuple[int, int]] = []
    world = World(tmp_path, task_max_request=1)
    world.events.register("task", dying(lambda task_id, attempt: False, attempts))
    is_to_leave = TaskWorker._is_to_leave

    def looked_at(worker: TaskWorker) -> bool:
        if worker.tasks:
            worker._runner._makes_others_wait()
        return is_to_leave(worker)

    monkeypatch.setattr(TaskWorker, "_is_to_leave", looked_at)
    world.submit("one", "two", target=0)

    world.live_until_empty()

    assert attempts == [(0, 1), (1, 1)]


def test_a_look_before_the_first_task_of_a_packet_counts_none_of_it_as_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = itertools.count(1)

    def look_and_die(watching: requeuer.Requeuer) -> None:
        if next(packets) == 2:
            watching._on_long()
            raise Killed

    monkeypatch.setattr(requeuer.Requeuer, "watch", look_and_die)
    world.events.register("task", handle)
    world.submit("a", "b", "c", target=0)
    world.submit("d", "e", "f", target=0, first=3)

    world.live()
    assert world.left() == [3, 4, 5]
    world.live_on()

    assert [value for _, _, value in world.answers()] == ["A", "B", "C", "D", "E", "F"]


# ── life ────────────────────────────────────────────────────────────────────────────────────────


def test_told_to_stop_it_finishes_the_task_in_hand_and_leaves_the_rest_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_runner, "_ANSWER_WITHIN_NS", -1)
    seen = []

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        seen.append(task_id)
        if task_id == 0:
            signal.raise_signal(signal.SIGTERM)
        return data

    world.events.register("task", task)
    world.submit("in hand", "queued", "queued too")

    assert world.live()
    assert world.answers() == [(Kind.FINISH, 0, "in hand")]

    assert world.live()
    assert seen == [0, 1, 2]
    assert [task_id for _, task_id, _ in world.answers()] == [1, 2]


def test_a_signal_of_the_programs_own_does_not_end_it(world: World) -> None:
    """signal.alarm in a task, for a time limit, must not look like SIGTERM."""
    seen = []

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        seen.append((task_id, world.here.stopping))
        signal.raise_signal(signal.SIGALRM)
        return data

    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    try:
        world.events.register("task", task)
        world.submit("one")
        world.submit("two")
        world.submit("three")
        world.live()
    finally:
        signal.signal(signal.SIGALRM, before)

    assert seen == [(0, False)] * 3


@pytest.mark.parametrize("event", ["task", "pipe_message"])
def test_it_is_not_idle_while_a_callback_runs(world: World, event: str) -> None:
    states = []

    def callback(world: World, *args: Any) -> None:
        states.append(State(world.board.get(TASK_WORKER, Cell.STATE)))

    world.events.register("task", handle)
    world.events.register(event, callback)
    world.submit("x", kind=Kind.TASK if event == "task" else Kind.PIPE)

    world.live()

    assert len(states) == 1
    assert State.IDLE not in states


def test_a_handler_that_raises_is_answered_with_its_failure_and_the_next_task_runs(world: World) -> None:
    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        if data == "bad":
            raise ValueError("no good")
        return data

    world.events.register("task", task)
    world.submit("bad", "good")

    world.live()

    (kind, task_id, error), after = world.answers()
    assert (kind, task_id, error.type_name, error.text) == (Kind.FAILED, 0, "ValueError", "no good")
    assert after == (Kind.FINISH, 1, "good")


def test_a_worker_start_that_raises_ends_it_with_exit_code_3(world: World) -> None:
    def worker_start(world: World, worker_id: int) -> None:
        raise RuntimeError("no database")

    world.events.register("worker_start", worker_start)
    world.events.register("task", handle)
    world.submit("waits")

    assert not world.live()

    world.events.register("worker_start", lambda *args: None)
    world.live()
    assert world.answers() == [(Kind.FINISH, 0, "WAITS")]


def test_a_task_whose_file_is_gone_is_not_run_and_says_so(world: World) -> None:
    begun: list[int] = []
    world.events.register("task", lambda world, task_id, source, data: begun.append(task_id))
    world.submit(LARGE, SMALL)
    world.spill.sweep()

    world.live_on()

    (kind, task_id, error), after = world.answers()
    assert (kind, task_id, error.type_name) == (Kind.BODY_MISSING, 0, "FileNotFoundError")
    assert after == (Kind.DONE, 1, b"")
    assert begun == [1]


async def a_coroutine(*_: Any) -> None: ...


def test_a_worker_start_that_is_async_def_is_refused_where_nobody_runs_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.events.register("task", handle)
    world.events.register("worker_start", a_coroutine)

    assert not world.live()

    (line,) = [each for each in caplog.records if each.exc_info]
    assert "worker_start is async def" in str(line.exc_info[1])  # type: ignore[index]
    assert "task_enable_coroutine" in str(line.exc_info[1])  # type: ignore[index]


@pytest.mark.parametrize("event", ["pipe_message", "worker_stop"])
def test_another_callback_that_is_async_def_is_said_and_harms_no_task(
    world: World, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.events.register("task", handle)
    world.events.register(event, a_coroutine)
    world.submit("hello", kind=Kind.PIPE)
    world.submit(SMALL)

    assert world.live()

    (line,) = [each for each in caplog.records if each.exc_info]
    assert f"{event} is async def" in str(line.exc_info[1])  # type: ignore[index]
    assert world.answers() == [(Kind.FINISH, 0, "SMALL")]


# ── two seats ───────────────────────────────────────────────────────────────────────────────────


def test_a_task_left_in_the_other_seat_is_in_our_own_hand_while_we_do_it(world: World) -> None:
    there: list[list[int]] = []

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        if world.lives == 1:
            raise Killed
        there.append([each.message.id for each in world.in_flight_slots[OTHER_SEAT][0].leftover()])
        return data

    world.events.register("task", task)
    world.submit("one")
    world.live(place=OTHER_SEAT)

    world.live_on(TASK_WORKER)

    assert there == [[]]
    assert world.answers() == [(Kind.FINISH, 0, "one")]


def test_a_process_that_begins_in_the_other_seat_while_we_do_what_was_left_there_keeps_its_own_notes(
    world: World,
) -> None:
    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        if world.lives == 1:
            raise Killed
        (in_flight,) = world.in_flight_slots[OTHER_SEAT]
        packet = packet_of(Message(Kind.TASK, 0, EVENT_WORKER, 7, b"its own"))

        def receive_into(room: memoryview) -> int:
            room[LEAD_BYTES : LEAD_BYTES + len(packet)] = packet
            return len(packet)

        in_flight.take(receive_into)
        in_flight.begin(0)
        return data

    world.events.register("task", task)
    world.submit("one")
    world.live(place=OTHER_SEAT)

    world.live_on(TASK_WORKER)

    assert world.left() == [7]


def test_nothing_is_adopted_from_a_process_that_took_the_other_seat_before_us(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have begun between the message that the seat is empty and our look."""

    @contextmanager
    def too_late(place: int) -> Iterator[None]:
        if world.lives == 2:
            world.board.put(OTHER_SEAT, Cell.PID, 1)
        yield

    def task(world: World, *args: Any) -> None:
        raise Killed

    world.events.register("task", task)
    world.submit("one")
    world.live(place=OTHER_SEAT)
    monkeypatch.setattr(world.board, "seats_locked", too_late)

    assert world.live(place=TASK_WORKER)

    assert world.left() == [0]
