"""engine/task_worker: a process that is recycled leaves between tasks, and whatever happens nothing is lost."""

import itertools
import mmap
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.ipc.message import Kind
from engine.settings import Settings
from engine.stats import resident_bytes
from engine.task_worker import recycle_policy, requeuer
from engine.task_worker.recycle_policy import RecyclePolicy
from tests.unit.engine.lives import OTHER_SEAT, TASK_WORKER, Fate, World

SMALL, LARGE = "small", "large" * 10_000


@pytest.fixture(autouse=True)
def nothing_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks for long tasks would outlive a death that is an exception."""
    monkeypatch.setattr(requeuer.Requeuer, "watch", lambda self: None)


def handle(world: World, task_id: int, source: int, data: Any) -> Any:
    return data.upper()


def noting(lives: list[list[int]]) -> Callable[..., Any]:
    """A handler that notes which task ran in which life."""

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        while len(lives) < world.lives:
            lives.append([])
        lives[-1].append(task_id)
        if data == "bad":
            raise ValueError("no good")
        return data

    return task


# ── by count ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("packets", [[7], [1] * 7, [3, 4]], ids=["one packet", "single tasks", "two packets"])
def test_a_task_worker_leaves_after_so_many_tasks_and_the_next_goes_on_where_it_ended(
    tmp_path: Path, packets: list[int]
) -> None:
    lives: list[list[int]] = []
    world = World(tmp_path, task_max_request=2)
    world.events.register("task", noting(lives))
    number = 0
    for count in packets:
        world.submit(*[SMALL] * count, first=number)
        number += count

    world.live_until_empty()

    assert lives == [[0, 1], [2, 3], [4, 5], [6]]
    assert [task_id for _, task_id, _ in world.answers()] == list(range(7))


def test_a_task_that_failed_counts(tmp_path: Path) -> None:
    lives: list[list[int]] = []
    world = World(tmp_path, task_max_request=2)
    world.events.register("task", noting(lives))
    world.submit("bad", "bad", "good")

    world.live_until_empty()

    assert lives == [[0, 1], [2]]


def test_a_pipe_message_does_not_count(tmp_path: Path) -> None:
    heard: list[Any] = []
    world = World(tmp_path, task_max_request=1)
    world.events.register("task", handle)
    world.events.register("pipe_message", lambda world, source, message: heard.append((world.lives, message)))
    world.submit("one", "two", kind=Kind.PIPE)
    world.submit(SMALL)
    world.submit("three", kind=Kind.PIPE)

    world.live_until_empty()

    assert heard == [(1, "one"), (1, "two"), (1, "three")]  # what is said comes before tasks
    assert world.answers() == [(Kind.FINISH, 0, "SMALL")]


def test_without_a_limit_it_stays(tmp_path: Path) -> None:
    lives: list[list[int]] = []
    world = World(tmp_path)
    world.events.register("task", noting(lives))
    world.submit(*[SMALL] * 100)

    world.live_until_empty()

    assert lives == [list(range(100))]


def test_a_process_that_leaves_by_itself_says_so_once_and_calls_worker_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    stopped: list[int] = []
    world = World(tmp_path, task_max_request=1)
    world.events.register("task", handle)
    world.events.register("worker_stop", lambda world, worker_id: stopped.append(world.lives))
    world.submit(SMALL)

    assert world.live()

    (line,) = [each for each in caplog.records if each.message.startswith("task worker recycled (slot=")]
    assert vars(line)["tasks"] == 1
    assert stopped == [1]


# ── death while recycling ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("next_place", [TASK_WORKER, OTHER_SEAT], ids=["same seat", "other seat"])
@pytest.mark.parametrize("most", [1, 2])
def test_no_task_is_lost_wherever_a_task_worker_dies_while_others_come_and_go(
    tmp_path: Path, most: int, next_place: int
) -> None:
    bodies = [SMALL, LARGE, SMALL]
    for dies_at in itertools.count(1):
        directory = tmp_path / str(dies_at)
        directory.mkdir()
        world = World(directory, task_max_request=most)
        world.events.register("task", handle)
        world.submit(*bodies)
        fate = Fate(dies_at)
        was_killed = False
        while not was_killed and not world.was_told_to_stop:
            was_killed = not world.live(fate)

        world.live_until_empty(next_place)

        expected = {(Kind.FINISH, number, body.upper()) for number, body in enumerate(bodies)}
        assert set(world.answers()) == expected, f"died at step {dies_at}"
        assert world.left() == []
        assert world.spill.count() == 0, f"died at step {dies_at}: {os.listdir(directory)}"
        if not was_killed:
            assert dies_at > 50
            return


def test_told_to_stop_it_leaves_as_if_it_had_no_share(tmp_path: Path) -> None:
    world = World(tmp_path, task_max_request=10)
    seen: list[int] = []

    def task(world: World, task_id: int, source: int, data: Any) -> None:
        seen.append(task_id)
        signal.raise_signal(signal.SIGTERM)

    world.events.register("task", task)
    world.submit("one")
    world.submit("two")

    assert world.live()

    assert seen == [0]


# ── by memory ───────────────────────────────────────────────────────────────────────────────────


def test_a_task_worker_that_has_grown_leaves_after_the_task_and_the_next_is_small_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recycle_policy, "_LOOK_EVERY_S", 0.0)
    grown: set[int] = set()
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: 10**9 if pid in grown else 10**6)
    lives: list[list[int]] = []
    note = noting(lives)

    def task(world: World, task_id: int, source: int, data: Any) -> Any:
        if data == "grows":
            grown.add(os.getpid())
        return note(world, task_id, source, data)

    world = World(tmp_path, task_max_memory=10**8)
    world.events.register("task", task)
    for number, data in enumerate(["x", "grows", "x", "x"]):
        world.submit(data, first=number)

    world.live_until_empty()

    assert lives == [[0, 1], [2, 3]]


def test_memory_that_a_quick_task_took_is_seen_while_nothing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [10**6, 10**9]
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: sizes.pop(0) if len(sizes) > 1 else sizes[0])
    world = World(tmp_path, task_max_memory=10**8)
    world.stops_when_empty = False
    world.events.register("task", handle)
    world.submit("looked at")
    world.submit("too soon to look again")

    assert world.live()

    assert not world.was_told_to_stop
    assert [task_id for _, task_id, _ in world.answers()] == [0, 0]


# ── the share itself ────────────────────────────────────────────────────────────────────────────


def test_the_grace_is_drawn_anew_and_by_default_half_of_what_is_above_ten() -> None:
    drawn = {RecyclePolicy(Settings(task_max_request=100)).left(0) for _ in range(2000)}

    assert drawn == set(range(100, 151))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"task_max_request": 10}, {10}),
        ({"task_max_request": 100, "task_max_request_grace": 0}, {100}),
        ({"task_max_request": 1, "task_max_request_grace": 2}, {1, 2, 3}),
        ({"task_max_memory": 1}, {None}),
    ],
)
def test_the_grace_is_what_was_asked_for(settings: dict[str, int], expected: set[int | None]) -> None:
    assert {RecyclePolicy(Settings(**settings)).left(0) for _ in range(200)} == expected


def test_memory_is_not_looked_at_before_the_first_task_nor_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(recycle_policy, "_LOOK_EVERY_S", 3600.0)
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: looks.append(pid) or 0)
    ours = RecyclePolicy(Settings(task_max_memory=1))

    assert not any(ours.is_done(tasks) for tasks in [0, 0, 1, 2, 3, 4])

    assert len(looks) == 1


def test_once_large_it_leaves_though_memory_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left in the hand would be overwritten."""
    monkeypatch.setattr(recycle_policy, "_LOOK_EVERY_S", 0.0)
    sizes = iter([2, 0, 0, 0])
    monkeypatch.setattr(recycle_policy, "resident_bytes", lambda pid: next(sizes))
    ours = RecyclePolicy(Settings(task_max_memory=1))

    assert [ours.is_done(tasks) for tasks in (1, 1, 2)] == [True, True, True]


def test_resident_memory_is_that_of_the_process() -> None:
    before = resident_bytes(os.getpid())
    with mmap.mmap(-1, 64 * 2**20) as grown:  # not from what the interpreter has in stock
        grown.write(b"x" * len(grown))

        assert resident_bytes(os.getpid()) - before > 32 * 2**20
