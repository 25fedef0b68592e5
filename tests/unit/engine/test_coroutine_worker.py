"""engine/task_worker/coroutines.py: many tasks in hand at once, and none is lost wherever their process dies."""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.ipc.board import Cell, State
from engine.ipc.in_flight import LEAD_BYTES, REGION_BYTES
from engine.ipc.message import Kind, unpack
from engine.task_worker import coroutines, recycle_policy
from tests.unit.engine.lives import OTHER_SEAT, TASK_WORKER, Fate, Killed, World

SMALL, LARGE = "small", "large" * 10_000
MOST = 3


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, concurrency=MOST)


def submit(world: World, *bodies: Any, **named: Any) -> None:
    """As event workers do for coroutines: each in a packet of its own."""
    for number, data in enumerate(bodies, named.pop("first", 0)):
        world.submit(data, first=number, **named)


async def handle(world: World, task_id: int, source: int, data: Any) -> Any:
    await asyncio.sleep(0)
    return data.upper()


class Gathering:
    """A handler that waits until so many of its tasks are at work at once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._is_complete = asyncio.Event()
        self.at_work: list[int] = []
        self.most_at_work = 0
        self.when_all_are_at_work: Callable[[], object] = lambda: None

    async def __call__(self, world: World, task_id: int, source: int, data: Any) -> Any:
        self.at_work.append(task_id)
        self.most_at_work = max(self.most_at_work, len(self.at_work))
        if len(self.at_work) == self._count:
            self.when_all_are_at_work()
            self._is_complete.set()
        async with asyncio.timeout(10):
            await self._is_complete.wait()
        self.at_work.remove(task_id)
        return data


# ── the plain case ──────────────────────────────────────────────────────────────────────────────


def test_so_many_are_at_work_at_once_and_the_others_wait(world: World) -> None:
    gathering = Gathering(MOST)
    world.events.register("task", gathering)
    submit(world, *map(str, range(9)), target=0)

    world.live_until_empty()

    assert gathering.most_at_work == MOST
    assert sorted(world.answers()) == [(Kind.FINISH, number, str(number)) for number in range(9)]


def test_a_plain_handler_is_run_as_well(world: World) -> None:
    world.events.register("task", lambda world, task_id, source, data: None if data == "none" else data)
    submit(world, "none", "some")

    world.live_until_empty()

    assert world.answers() == [(Kind.DONE, 0, b""), (Kind.FINISH, 1, "some")]


def test_what_is_told_of_it_is_how_many_run_and_how_many_more_it_would_begin(world: World) -> None:
    told: list[tuple[int, int, int, int]] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        cells = Cell.RUNNING, Cell.CREDIT, Cell.STATE, Cell.TASK_ID
        told.append(tuple(world.board.get(TASK_WORKER, cell) for cell in cells))  # type: ignore[arg-type]

    world.stops_when_empty = False
    world.events.register("task", task)
    world.events.register("pipe_message", lambda *args: signal.raise_signal(signal.SIGTERM))
    submit(world, "one", "two", target=0)
    world.submit("stop", kind=Kind.PIPE)

    world.live()

    assert told[0] == (2, 0, State.BUSY, 0)  # it is told to stop by now, and begins no more
    assert [world.board.get(TASK_WORKER, cell) for cell in (Cell.RUNNING, Cell.CREDIT)] == [0, 0]


def test_room_is_told_while_tasks_run(world: World) -> None:
    told: list[int] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        for _ in range(5 + 5 * task_id):
            await asyncio.sleep(0)
        told.append(world.board.get(TASK_WORKER, Cell.CREDIT))
        if task_id:
            signal.raise_signal(signal.SIGTERM)

    world.stops_when_empty = False
    world.events.register("task", task)
    submit(world, "one", "two")

    world.live()

    assert told == [MOST - 2, MOST - 1]


def test_a_task_too_many_stays_for_whoever_has_room_and_one_that_is_for_us_alone_waits_here(world: World) -> None:
    others = memoryview(bytearray(REGION_BYTES))
    taken: list[int] = []
    gathering = Gathering(MOST)
    world.events.register("task", gathering)
    submit(world, *"abcd")
    submit(world, "for us", target=0, first=4)
    gathering.when_all_are_at_work = lambda: taken.append(world.transport.take(0, others))

    world.live_until_empty()

    assert [message.id for message in unpack(others[LEAD_BYTES:])] == [2]
    assert len(taken) == 1
    assert sorted(world.answers()) == [(Kind.FINISH, 0, "a"), (Kind.FINISH, 1, "b"), (Kind.FINISH, 3, "d"),
                                       (Kind.FINISH, 4, "for us")]  # fmt: skip
    assert world.left() == []


def test_a_pipe_message_is_heard_while_all_are_busy(world: World) -> None:
    heard = asyncio.Event()

    async def task(world: World, *args: Any) -> None:
        async with asyncio.timeout(10):
            await heard.wait()

    world.events.register("task", task)
    world.events.register("pipe_message", lambda *args: heard.set())
    submit(world, *"abc")
    world.submit("hello", kind=Kind.PIPE)

    world.live_until_empty()

    assert sorted(world.answers()) == [(Kind.DONE, number, b"") for number in range(MOST)]


# ── each is its own ─────────────────────────────────────────────────────────────────────────────


def test_finish_and_attempt_are_those_of_the_task_whose_code_asks(world: World) -> None:
    attempts: dict[int, list[int]] = {}

    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        async def child() -> None:
            for _ in range(3 - task_id):
                await asyncio.sleep(0)
            attempts.setdefault(task_id, []).append(world.here.attempt)
            world.here.finish(data)
            if world.lives == 1 and task_id == 0:
                raise Killed

        await asyncio.create_task(child())

    world.events.register("task", task)
    submit(world, "a", "b", "c")
    world.live()
    submit(world, "d", first=3)

    world.live_until_empty()

    answers = {task_id: value for _, task_id, value in world.answers()}
    assert answers == {0: "a", 1: "b", 2: "c", 3: "d"}
    assert attempts[0] == [1, 2]
    assert attempts[3] == [1]


def test_finish_from_what_outlives_its_handler_is_refused_and_answers_no_other_task(world: World) -> None:
    refused: list[UsageError] = []
    children: list[asyncio.Task[None]] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        async def child() -> None:
            for _ in range(10):
                await asyncio.sleep(0)
            try:
                world.here.finish("from the dead")
            except UsageError as error:
                refused.append(error)

        if task_id == 0:
            children.append(asyncio.create_task(child()))
            return data
        await asyncio.wait(children)
        return data

    world.events.register("task", task)
    submit(world, "a", "b")

    world.live_until_empty()

    assert sorted(world.answers()) == [(Kind.FINISH, 0, "a"), (Kind.FINISH, 1, "b")]
    assert len(refused) == 1


def test_finish_from_a_thread_is_that_of_the_task_that_began_it(world: World) -> None:
    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        await asyncio.to_thread(world.here.finish, data)

    world.events.register("task", task)
    submit(world, "a", "b", "c")

    world.live_until_empty()

    assert sorted(world.answers()) == [(Kind.FINISH, 0, "a"), (Kind.FINISH, 1, "b"), (Kind.FINISH, 2, "c")]


def test_finish_outside_of_a_task_is_refused(world: World) -> None:
    refused: list[UsageError] = []

    async def worker_start(world: World, worker_id: int) -> None:
        try:
            world.here.finish("nothing")
        except UsageError as error:
            refused.append(error)

    world.events.register("task", handle)
    world.events.register("worker_start", worker_start)

    world.live_until_empty()

    assert len(refused) == 1


@pytest.mark.parametrize("ends_by", ["raising", "being cancelled", "returning what cannot be packed"])
def test_a_handler_that_fails_is_answered_and_the_others_go_on(world: World, ends_by: str) -> None:
    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        await asyncio.sleep(0)
        if data == "raising":
            raise ValueError("no good")
        if data == "being cancelled":
            raise asyncio.CancelledError
        return (each for each in ()) if data.startswith("returning") else data

    world.events.register("task", task)
    submit(world, "before", ends_by, "after")

    world.live_until_empty()

    answers = {task_id: kind for kind, task_id, _ in world.answers()}
    assert answers == {0: Kind.FINISH, 1: Kind.FAILED, 2: Kind.FINISH}


def test_a_result_is_sent_when_it_is_there_though_the_handler_goes_on(world: World) -> None:
    heard: list[Any] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        world.here.finish(data)
        await asyncio.sleep(0)
        heard.extend(world.answers())

    world.events.register("task", task)
    submit(world, "early")

    world.live_until_empty()

    assert heard == [(Kind.FINISH, 0, "early")]
    assert world.answers() == []


@pytest.mark.parametrize("event", ["worker_start", "worker_stop", "pipe_message"])
def test_what_is_called_around_tasks_may_be_a_coroutine(world: World, event: str) -> None:
    called: list[str] = []

    async def callback(world: World, *args: Any) -> None:
        await asyncio.sleep(0)
        called.append(event)

    world.events.register("task", handle)
    world.events.register(event, callback)
    world.submit("hello", kind=Kind.PIPE)

    world.live_until_empty()

    assert called == [event]


def test_a_worker_start_that_raises_ends_it_with_exit_code_3(world: World) -> None:
    async def worker_start(world: World, worker_id: int) -> None:
        raise RuntimeError("no database")

    world.events.register("task", handle)
    world.events.register("worker_start", worker_start)

    assert not world.live()


# ── death ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("next_place", [TASK_WORKER, OTHER_SEAT], ids=["same seat", "other seat"])
@pytest.mark.parametrize(
    "bodies",
    [[SMALL], [LARGE], [SMALL, LARGE, SMALL, LARGE, SMALL]],
    ids=["one small", "one large", "more than at once"],
)
def test_no_task_is_lost_wherever_it_dies(tmp_path: Path, bodies: list[str], next_place: int) -> None:
    for dies_at in itertools.count(1):
        directory = tmp_path / str(dies_at)
        directory.mkdir()
        world = World(directory, concurrency=MOST)
        world.events.register("task", handle)
        submit(world, *bodies, target=0)
        was_killed = not world.live(Fate(dies_at))

        world.live_until_empty(next_place)

        answers = world.answers()
        expected = {(Kind.FINISH, number, body.upper()) for number, body in enumerate(bodies)}
        assert set(answers) == expected, f"died at step {dies_at}"
        assert world.left() == []
        assert world.spill.count() == 0, f"died at step {dies_at}: {os.listdir(directory)}"
        if not was_killed:
            assert Counter(answers).most_common(1)[0][1] == 1
            assert dies_at > 30
            return


def test_no_task_is_lost_when_two_die_one_after_the_other(tmp_path: Path) -> None:
    bodies = [SMALL, LARGE, SMALL, SMALL]

    def fresh(name: str) -> World:
        (tmp_path / name).mkdir()
        world = World(tmp_path / name, concurrency=2)
        world.events.register("task", handle)
        submit(world, *bodies, target=0)
        return world

    steps = Fate()
    fresh("whole").live(steps)

    for first, second in itertools.product(range(1, steps.steps, 6), repeat=2):
        world = fresh(f"{first}-{second}")
        world.live(Fate(first), TASK_WORKER)
        world.live(Fate(second), OTHER_SEAT)

        world.live_until_empty(TASK_WORKER)

        expected = {(Kind.FINISH, number, body.upper()) for number, body in enumerate(bodies)}
        assert set(world.answers()) == expected, f"died at steps {first} and {second}"
        assert world.left() == []
        assert world.spill.count() == 0, f"died at steps {first} and {second}"


def test_all_that_were_begun_are_tried_again_and_those_that_were_not_are_not_counted(world: World) -> None:
    attempts: list[tuple[int, int]] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        attempts.append((task_id, world.here.attempt))
        await asyncio.sleep(0)
        if world.lives == 1:
            raise Killed
        return data

    world.events.register("task", task)
    submit(world, *"abcd", target=0)

    world.live()
    world.live_until_empty()

    assert sorted(attempts) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]
    assert world.board.get(TASK_WORKER, Cell.REDELIVERED) == 3


def test_one_that_kills_each_time_is_lost_and_takes_nobody_along(world: World) -> None:
    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        if data == "kills":
            raise Killed
        for _ in range(5):
            await asyncio.sleep(0)
        return data

    world.events.register("task", task)
    submit(world, "before", "kills", "after", "later", target=0)

    for _ in range(6):
        world.live()

    assert sorted(world.answers()) == [(Kind.FINISH, 0, "before"), (Kind.FINISH, 2, "after"),
                                       (Kind.FINISH, 3, "later"), (Kind.LOST, 1, 3)]  # fmt: skip


def test_a_handler_that_leaves_by_system_exit_fails_no_other_task(world: World) -> None:
    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        await asyncio.sleep(0)
        if world.lives == 1 and data == "leaves":
            raise SystemExit(7)
        for _ in range(5):
            await asyncio.sleep(0)
        return data

    world.events.register("task", task)
    submit(world, "one", "leaves", "two")
    with pytest.raises(SystemExit):
        world.live()
    assert world.answers() == []

    world.live_until_empty()

    assert sorted(world.answers()) == [(Kind.FINISH, 0, "one"), (Kind.FINISH, 1, "leaves"), (Kind.FINISH, 2, "two")]


# ── the end ─────────────────────────────────────────────────────────────────────────────────────


def test_told_to_stop_it_finishes_what_was_begun_and_leaves_the_rest_to_the_next(world: World) -> None:
    seen: list[int] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        seen.append(task_id)
        signal.raise_signal(signal.SIGTERM)
        assert world.here.stopping
        await asyncio.sleep(0)
        return data

    world.events.register("task", task)
    submit(world, *"abcde", target=0)

    assert world.live()
    done = [task_id for _, task_id, _ in world.answers()]
    assert done == seen
    assert len(seen) < 5

    for _ in range(5):
        assert world.live()
    assert sorted(seen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_it_does_its_share_and_not_more(tmp_path: Path, most: int) -> None:
    lives: Counter[int] = Counter()

    async def task(world: World, task_id: int, source: int, data: Any) -> Any:
        lives[world.lives] += 1
        await asyncio.sleep(0)
        return data

    world = World(tmp_path, concurrency=MOST, task_max_request=most)
    world.events.register("task", task)
    submit(world, *map(str, range(11)), target=0)

    world.live_until_empty()

    assert set(list(lives.values())[:-1]) == {most}
    assert sorted(task_id for _, task_id, _ in world.answers()) == list(range(11))


def test_another_process_in_the_other_place_keeps_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was started there after the message that it is empty does what its hands hold, and nobody else."""

    async def task(world: World, *args: Any) -> None:
        raise Killed

    world.events.register("task", task)
    submit(world, *"abc")
    world.live(place=OTHER_SEAT)
    left = world.left()
    assert sorted(left) == [0, 1, 2]
    inherit = coroutines.CoroutineWorker._adopt_one

    def too_late(worker: Any, *in_flight_slots: Any) -> bool:
        world.board.put(OTHER_SEAT, Cell.PID, 1)
        return inherit(worker, *in_flight_slots)

    monkeypatch.setattr(coroutines.CoroutineWorker, "_adopt_one", too_late)

    world.live()

    assert world.left() == left


def test_nothing_is_adopted_while_the_look_and_the_move_are_not_one_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that begins in the other seat enters its PID under the same lock."""

    async def task(world: World, *args: Any) -> None:
        raise Killed

    @contextmanager
    def too_late(place: int) -> Iterator[None]:
        if world.lives == 2:
            world.board.put(OTHER_SEAT, Cell.PID, 1)
        yield

    world.events.register("task", task)
    submit(world, *"abc")
    world.live(place=OTHER_SEAT)
    left = world.left()
    monkeypatch.setattr(world.board, "seats_locked", too_late)

    world.live()

    assert world.left() == left


@pytest.mark.parametrize("why", ["it is full", "it leaves"])
def test_one_that_takes_no_more_lets_another_look_for_what_it_was_woken_for(
    world: World, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    passed_on: list[int] = []
    monkeypatch.setattr(world.transport, "wake_other", passed_on.append)
    before_the_end: list[int] = []

    async def task(world: World, task_id: int, source: int, data: Any) -> None:
        if why == "it leaves":
            signal.raise_signal(signal.SIGTERM)
            return
        for _ in range(20):
            await asyncio.sleep(0)
        before_the_end.append(len(passed_on))
        if task_id == MOST - 1:
            signal.raise_signal(signal.SIGTERM)

    world.stops_when_empty = False
    world.events.register("task", task)
    submit(world, *map(str, range(MOST if why == "it is full" else 1)))

    world.live()

    assert passed_on
    assert set(passed_on) == {0}
    assert all(before_the_end)


def test_memory_that_a_coroutine_took_is_seen_while_nothing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [10**6, 10**9]
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    world = World(tmp_path, concurrency=MOST, task_max_memory=10**8)
    world.stops_when_empty = False
    world.events.register("task", handle)
    submit(world, "looked at", "too soon to look again")

    assert world.live()

    assert not world.was_told_to_stop
    assert sorted(task_id for _, task_id, _ in world.answers()) == [0, 1]


def test_a_look_at_memory_that_comes_too_early_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [10**6, 10**9]
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    look_in_s = recycle_policy.RecyclePolicy.look_in_s
    looks = 0

    def look_in_s_as_of_an_early_clock(self: recycle_policy.RecyclePolicy, tasks: int) -> float | None:
        nonlocal looks
        in_s = look_in_s(self, tasks)
        if tasks < 2 or in_s != 0:
            return in_s
        looks += 1
        return 0.0004 if looks <= 4 else 0.0

    monkeypatch.setattr(recycle_policy.RecyclePolicy, "look_in_s", look_in_s_as_of_an_early_clock)
    world = World(tmp_path, concurrency=MOST, task_max_memory=10**8)
    world.stops_when_empty = False
    world.events.register("task", handle)
    submit(world, "looked at", "too soon to look again")

    assert world.live()

    assert looks > 4
