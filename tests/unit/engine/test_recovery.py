"""engine/ipc/recovery.py: what a killed server had to do, its next start finds, wherever it was."""

import gc
import itertools
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import StartError
from engine.ipc.board import Cell
from engine.ipc.message import ANY, INLINE_BYTES, SPILLED, TIMED_OUT, Kind, Message
from engine.ipc.resources import IpcResources
from tests.unit.engine.starts import death_at_line, hold, ids, keep, packet_of, start, task, waiting

pytestmark = pytest.mark.usefixtures("light_collections")

FIRST_HAND = 2
"""The place of task worker 0, behind one event worker with its two seats."""


def test_a_first_start_has_nothing_to_do(tmp_path: Path, queue_key: int) -> None:
    resources = start(tmp_path, queue_key)

    assert waiting(resources) == []
    assert resources.task_ids.draw(1) == 0


# ── every place a task can be in ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", [0, 1], ids=["first seat", "second seat"])
def test_what_waited_in_an_event_worker_waits_again(tmp_path: Path, queue_key: int, place: int) -> None:
    keep(start(tmp_path, queue_key), place, task(3), task(1))

    assert waiting(start(tmp_path, queue_key)) == [task(1), task(3)]


@pytest.mark.parametrize("place", range(FIRST_HAND, FIRST_HAND + 4))
def test_what_was_in_hand_and_not_begun_waits_again(tmp_path: Path, queue_key: int, place: int) -> None:
    hold(start(tmp_path, queue_key), place, task(0), task(1))

    assert waiting(start(tmp_path, queue_key)) == [task(0), task(1)]


def test_what_was_begun_has_one_death_more(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    hold(former, FIRST_HAND, task(0), task(1, deaths=1), task(2))
    for place in (0, 1):
        former.in_flight_slots[FIRST_HAND][0].begin(place)
    former.in_flight_slots[FIRST_HAND][0].end(0)

    assert waiting(start(tmp_path, queue_key)) == [task(0), task(1, deaths=2), task(2)]


def test_that_a_task_had_its_time_is_known(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    hold(former, FIRST_HAND, task(0), task(1))
    former.in_flight_slots[FIRST_HAND][0].begin(0)
    former.in_flight_slots[FIRST_HAND][0].expire(0)

    assert waiting(start(tmp_path, queue_key)) == [task(0, deaths=255)._replace(codec=TIMED_OUT), task(1)]


@pytest.mark.parametrize("name", ["backlog-0", "backlog-1", f"hand-{FIRST_HAND}", "drained"])
def test_a_file_that_a_start_was_killed_before_it_had_a_size_is_no_harm(
    tmp_path: Path, queue_key: int, name: str
) -> None:
    keep(start(tmp_path, queue_key), 0, task(1))
    file = tmp_path / f"2-{name}.{queue_key}.memory"
    file.touch(mode=0o600)

    assert waiting(start(tmp_path, queue_key)) == [task(1)]
    assert not file.exists() or file.stat().st_size


def test_every_hand_of_a_task_worker_of_coroutines_is_looked_into(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key, concurrency=3)
    assert len(former.in_flight_slots[FIRST_HAND]) == 4
    for number in range(4):
        hold(former, FIRST_HAND, task(number), in_flight=number)
    former.in_flight_slots[FIRST_HAND][3].begin(0)

    assert waiting(start(tmp_path, queue_key)) == [task(0), task(1), task(2), task(3, deaths=1)]


def test_what_was_answered_or_given_back_does_not_come_again(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    hold(former, FIRST_HAND, task(0), task(1), task(2), task(3))
    former.in_flight_slots[FIRST_HAND][0].answered(1)
    former.in_flight_slots[FIRST_HAND][0].requeue(2)

    assert ids(start(tmp_path, queue_key)) == [1, 3]


def test_what_was_in_the_queue_waits_again_and_the_queue_is_empty(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    former.transport.send(0, packet_of(task(2), task(0)), is_named=False)
    former.transport.send(1, packet_of(task(1, target=1)), is_named=True)

    now = start(tmp_path, queue_key)

    assert waiting(now) == [task(0), task(1, target=1), task(2)]
    assert now.close() is False


def test_what_a_start_had_drained_before_it_was_killed_waits_again(
    tmp_path: Path, queue_key: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = start(tmp_path, queue_key)
    for number in range(3):
        former.transport.send(0, packet_of(task(number)), is_named=False)

    def killed(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(IpcResources, "_make_memory", killed)
        with pytest.raises(MemoryError):
            start(tmp_path, queue_key)

    assert ids(start(tmp_path, queue_key)) == [0, 1, 2]


def test_only_tasks_come_again(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    hold(former, FIRST_HAND, Message(Kind.PIPE, 0, 0, 0, b"hello"), task(5), Message(Kind.CLOSE, 0, 0, 0, b""))

    assert waiting(start(tmp_path, queue_key)) == [task(5)]


# ── what comes of it ────────────────────────────────────────────────────────────────────────────


def test_a_task_that_was_in_two_places_comes_once_with_most_deaths(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    keep(former, 0, task(0), task(1))
    former.transport.send(0, packet_of(task(1)), is_named=False)
    hold(former, FIRST_HAND, task(0))
    former.in_flight_slots[FIRST_HAND][0].begin(0)

    assert waiting(start(tmp_path, queue_key)) == [task(0, deaths=1), task(1)]


def test_tasks_are_shared_out_to_all_event_workers_and_each_has_its_own_in_order(
    tmp_path: Path, queue_key: int
) -> None:
    keep(start(tmp_path, queue_key), 0, *map(task, range(7)))

    now = start(tmp_path, queue_key, worker_num=3)

    shares = [[message.id for message in state.backlog.load()] for state in now.event_worker_states]
    assert shares == [[0, 3, 6], [1, 4], [2, 5], [], [], []]
    assert [{message.source for message in state.backlog.load()} for state in now.event_worker_states[:3]] == [
        {0},
        {1},
        {2},
    ]
    for cell in (Cell.SUBMITTED, Cell.WAITING):
        assert [now.board.get(place, cell) for place in now.board.event_places] == [3, 2, 2, 0, 0, 0]


def test_a_target_that_is_there_no_more_becomes_any(tmp_path: Path, queue_key: int) -> None:
    keep(start(tmp_path, queue_key), 0, task(0, target=0), task(1, target=1), task(2))

    now = start(tmp_path, queue_key, task_worker_num=1)

    assert [message.target for message in waiting(now)] == [0, ANY, ANY]


def test_fewer_workers_lose_nothing_of_what_more_had(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key, worker_num=3, task_worker_num=5)
    for place in former.board.event_places:
        keep(former, place, task(place))
    for place in former.in_flight_slots:
        hold(former, place, task(place))

    now = start(tmp_path, queue_key, worker_num=1, task_worker_num=1)

    assert ids(now) == list(range(16))


def test_more_tasks_than_the_limit_of_now_are_taken_all_the_same(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key, task_queue_max_bytes=2**20)
    keep(former, 0, *(task(number, b"x" * INLINE_BYTES) for number in range(100)))

    now = start(tmp_path, queue_key, task_queue_max_bytes=2**16)

    assert waiting(now) == [task(number, b"x" * INLINE_BYTES) for number in range(100)]


@pytest.mark.parametrize("highest", [0, 7, 2**40])
def test_new_ids_go_on_above_the_highest(tmp_path: Path, queue_key: int, highest: int) -> None:
    keep(start(tmp_path, queue_key), 0, task(highest), task(highest // 2))

    assert start(tmp_path, queue_key).task_ids.draw(1) == highest + 1


def test_a_tasks_file_stays_and_others_are_swept(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    needed, other = former.spill.write(b"needed"), former.spill.write(b"of a task that is done")
    keep(former, 0, task(0, needed)._replace(codec=SPILLED))

    now = start(tmp_path, queue_key)

    assert now.spill.read(needed) == b"needed"
    assert now.spill.size(other) == 0


def test_a_task_whose_file_went_with_its_answer_is_not_delivered_again(
    tmp_path: Path, queue_key: int, caplog: pytest.LogCaptureFixture
) -> None:
    former = start(tmp_path, queue_key)
    done, needed = former.spill.write(b"done"), former.spill.write(b"needed")
    keep(former, 0, task(0, done)._replace(codec=SPILLED), task(1, needed)._replace(codec=SPILLED))
    former.spill.remove(done)

    now = start(tmp_path, queue_key)

    assert ids(now) == [1]
    assert [record.message for record in caplog.records] == [
        "tasks without their files were done already, not delivered (count=1)"
    ]


def test_the_life_before_leaves_no_file_once_its_tasks_wait_here(tmp_path: Path, queue_key: int) -> None:
    keep(start(tmp_path, queue_key), 0, task(0))
    start(tmp_path, queue_key)
    first = len(list(tmp_path.iterdir()))

    for _ in range(12):
        assert ids(start(tmp_path, queue_key)) == [0]

    assert len(list(tmp_path.iterdir())) == first


def test_a_start_with_another_key_is_refused_and_changes_nothing(
    tmp_path: Path, queue_key: int, other_queue_key: int
) -> None:
    keep(start(tmp_path, queue_key), 0, task(0))

    with pytest.raises(StartError, match=f"message_queue_key {queue_key}:"):
        start(tmp_path, other_queue_key)

    assert ids(start(tmp_path, queue_key)) == [0]


# ── death ───────────────────────────────────────────────────────────────────────────────────────

FILES = ("ipc/recovery.py", "ipc/resources.py", "ipc/backlog.py", "ipc/memory.py", "ipc/sysv_queue.py", "ipc/spill.py")


def leave_something_everywhere(path: Path, key: int) -> list[Message]:
    """A life that is killed; what it had to do."""
    former = start(path, key)
    name = former.spill.write(b"large")
    large = task(0, name)._replace(codec=SPILLED)
    keep(former, 0, large, task(1))
    keep(former, 1, task(2))
    hold(former, FIRST_HAND, task(3), task(4, deaths=1))
    former.in_flight_slots[FIRST_HAND][0].begin(1)
    former.transport.send(0, packet_of(task(5), task(6)), is_named=False)
    former.transport.send(1, packet_of(task(7, target=1)), is_named=True)
    return [large, task(1), task(2), task(3), task(4, deaths=2), task(5), task(6), task(7, target=1)]


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def close_all_but(files: set[str]) -> None:
    """What a server opens is open until its process ends; here hundreds of them begin in one."""
    gc.collect()  # what has an owner closes itself
    for descriptor in open_files() - files:
        with suppress(OSError):  # that of the look itself
            os.close(int(descriptor))


@pytest.mark.long
@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_start_that_is_killed_at_any_line_loses_nothing(quick_path: Path, queue_key: int, first: int) -> None:
    """Two starts are, at the same line; the second one finds more to do."""
    files = open_files()
    for line in itertools.count(first, 4):
        path = quick_path / str(line)
        path.mkdir()
        expected = leave_something_everywhere(path, queue_key)
        for _ in range(2):
            with death_at_line(line, *FILES) as came_to_it:
                start(path, queue_key)

        now = start(path, queue_key)

        assert waiting(now) == expected, f"died at line {line}"
        assert now.spill.read(expected[0].body) == b"large", f"died at line {line}"
        shutil.rmtree(path)
        del now
        close_all_but(files)
        if not came_to_it():
            break

    assert line > 500, "the lines were counted"
