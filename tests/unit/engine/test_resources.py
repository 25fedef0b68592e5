"""engine/ipc/resources.py: what the processes of a server share, and what stays of it."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StartError
from engine.ipc import in_flight
from engine.ipc.board import BLOCKED, Cell, State
from engine.ipc.message import EMPTY_PACKET
from engine.ipc.resources import IpcResources, open_files
from engine.ipc.sysv_queue import QueueTransport, remove_queue
from engine.ipc.transport import SocketTransport
from engine.settings import IpcMode, Settings
from tests.queues import queue_of
from tests.unit.engine.starts import hold, keep, packet_of, start, task

pytestmark = pytest.mark.usefixtures("light_collections")


@pytest.fixture
def private_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The keys of the private queues that the test makes."""
    from engine.ipc import resources

    made: list[int] = []
    draw = resources.unused_key

    def noting() -> int:
        made.append(draw())
        return made[-1]

    monkeypatch.setattr(resources, "unused_key", noting)
    yield made
    for key in made:
        remove_queue(key)


# ── without a key ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "transport"),
    [(IpcMode.SOCKET, SocketTransport), (IpcMode.QUEUE, QueueTransport), (IpcMode.PREEMPTIVE, QueueTransport)],
)
def test_each_mode_has_its_way(tmp_path: Path, private_keys: list[int], mode: IpcMode, transport: type) -> None:
    assert type(start(tmp_path, None, task_ipc_mode=mode).transport) is transport


def test_a_private_queue_is_gone_when_the_server_ends(tmp_path: Path, private_keys: list[int]) -> None:
    resources = start(tmp_path, None)
    resources.transport.send(0, packet_of(task(0)), is_named=False)
    assert queue_of(private_keys[0])

    assert resources.close() is True

    assert not queue_of(private_keys[0])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", list(IpcMode))
def test_a_private_queue_of_a_killed_server_is_gone_at_the_next_start(
    tmp_path: Path, private_keys: list[int], mode: IpcMode
) -> None:
    start(tmp_path, None)

    start(tmp_path, None, task_ipc_mode=mode)

    assert not queue_of(private_keys[0])


def test_a_private_queue_of_a_killed_server_is_gone_when_the_next_one_has_a_key(
    tmp_path: Path, private_keys: list[int], queue_key: int
) -> None:
    start(tmp_path, None)

    start(tmp_path, queue_key)

    assert not queue_of(private_keys[0])


def test_a_note_that_was_not_finished_is_no_reason_not_to_start(tmp_path: Path, private_keys: list[int]) -> None:
    (tmp_path / "queue").write_text("")

    assert start(tmp_path, None).close()


def test_files_of_a_former_life_are_swept(tmp_path: Path) -> None:
    start(tmp_path, None, task_ipc_mode=IpcMode.SOCKET).spill.write(b"left")

    assert start(tmp_path, None, task_ipc_mode=IpcMode.SOCKET).spill.count() == 0


def test_a_server_without_a_key_leaves_the_tasks_of_one_with_a_key_alone(tmp_path: Path, queue_key: int) -> None:
    former = start(tmp_path, queue_key)
    name = former.spill.write(b"needed")
    keep(former, 0, task(0))

    with pytest.raises(StartError, match="message_queue_key"):
        start(tmp_path, None)

    assert former.spill.read(name) == b"needed"


# ── with a key ──────────────────────────────────────────────────────────────────────────────────


def test_when_nothing_waits_all_is_removed(tmp_path: Path, queue_key: int) -> None:
    resources = start(tmp_path, queue_key)

    assert resources.close() is True

    assert os.listdir(tmp_path) == []
    assert not queue_of(queue_key)


def let_wait(resources: IpcResources, where: str) -> None:
    if where == "queue":
        resources.transport.send(0, packet_of(task(0)), is_named=False)
    elif where == "hand":
        hold(resources, 5, task(0))
    else:
        keep(resources, 1, task(0))


@pytest.mark.parametrize("where", ["queue", "hand", "backlog"])
def test_when_something_waits_all_stays(tmp_path: Path, queue_key: int, where: str) -> None:
    resources = start(tmp_path, queue_key)
    let_wait(resources, where)
    before = sorted(os.listdir(tmp_path))

    assert resources.close() is False

    assert sorted(os.listdir(tmp_path)) == before
    assert queue_of(queue_key)


def test_what_a_child_let_wait_is_seen_by_the_manager_at_the_end(tmp_path: Path, queue_key: int) -> None:
    resources = start(tmp_path, queue_key)
    pid = os.fork()
    if pid == 0:
        keep(resources, 0, task(0))
        os._exit(0)
    os.waitpid(pid, 0)

    assert resources.close() is False


def test_every_file_is_readable_by_its_owner_alone(tmp_path: Path, queue_key: int) -> None:
    before = os.umask(0)
    try:
        start(tmp_path, queue_key)
    finally:
        os.umask(before)

    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


# ── who is woken ────────────────────────────────────────────────────────────────────────────────


def rung(resources: IpcResources) -> list[int]:
    """Numbers of the task workers that were woken."""
    first = len(resources.board.event_places)
    return [n for n in range(resources.board.task_worker_num) if resources.channel.receive(first + n) == EMPTY_PACKET]


@pytest.mark.parametrize(
    ("idle", "number", "is_named", "expected"),
    [
        pytest.param([0, 1, 2], 1, False, [1], id="the one that is meant, when it is idle"),
        pytest.param([2], 1, False, [2], id="else another that is idle, when that one takes nothing"),
        pytest.param([0, 2], 1, True, [], id="but nobody else for a named task"),
        pytest.param([1], 1, True, [1], id="a named one that is idle"),
        pytest.param([], 1, False, [], id="nobody when all are at work: they look before they rest"),
    ],
)
def test_a_task_in_the_queue_wakes_one(
    tmp_path: Path, queue_key: int, idle: list[int], number: int, is_named: bool, expected: list[int]
) -> None:
    resources = start(tmp_path, queue_key, task_worker_num=3)
    for each in idle:
        resources.board.note_current(1 + each, each % 2)
        resources.board.put(resources.board.current(1 + each), Cell.STATE, State.IDLE)

    resources.board.blocked[number] = number not in idle

    resources.transport.send(number, packet_of(task(0)), is_named=is_named)

    assert rung(resources) == expected


def test_tasks_for_one_that_is_busy_wake_one_after_the_other_so_that_none_sleeps_beside_a_task(
    tmp_path: Path, queue_key: int
) -> None:
    """Those that are woken look idle until they run."""
    resources = start(tmp_path, queue_key, task_worker_num=4)
    for number in (1, 2, 3):
        resources.board.put(resources.board.current(1 + number), Cell.STATE, State.IDLE)
    resources.board.put(resources.board.current(1 + 1), Cell.CALLED_NS, 1)
    resources.transport.wake_other(0)
    assert rung(resources) == [2]
    resources.board.put(resources.board.current(1 + 2), Cell.CALLED_NS, 0)

    for number in range(2):
        resources.transport.send(0, packet_of(task(number)), is_named=False)
    assert rung(resources) == [2, 3]

    resources.transport.send(0, packet_of(task(2)), is_named=False)
    assert rung(resources) == [1]


def test_one_of_coroutines_is_woken_while_it_has_room_though_it_is_busy(tmp_path: Path, queue_key: int) -> None:
    resources = start(tmp_path, queue_key, concurrency=2, task_worker_num=3)
    for number, room in enumerate([0, 1, 2]):
        place = resources.board.current(1 + number)
        resources.board.put(place, Cell.STATE, State.BUSY)
        resources.board.put(place, Cell.CREDIT, room)
    resources.board.blocked[0] = BLOCKED

    resources.transport.send(0, packet_of(task(0)), is_named=False)
    assert rung(resources) == [1]

    resources.board.put(resources.board.current(2), Cell.CREDIT, 0)
    resources.transport.wake_other(1)
    assert rung(resources) == [2]


def test_when_the_one_that_was_woken_dies_another_is_woken(tmp_path: Path, queue_key: int) -> None:
    """The one that follows it may be held back at its start for half a minute."""
    resources = start(tmp_path, queue_key, task_worker_num=2)
    for each in (0, 1):
        resources.board.put(resources.board.current(1 + each), Cell.STATE, State.IDLE)
    resources.transport.send(0, packet_of(task(0)), is_named=False)
    assert rung(resources) == [0]

    resources.board.put(resources.board.current(1), Cell.STATE, State.AWAY)
    resources.wake_another(0)

    assert rung(resources) == [1]


def test_with_sockets_another_is_woken_for_what_the_one_that_is_gone_did_not_take(tmp_path: Path) -> None:
    resources = start(tmp_path, None, task_ipc_mode=IpcMode.SOCKET, task_worker_num=2)
    resources.board.put(resources.board.current(2), Cell.STATE, State.IDLE)

    resources.wake_another(0)
    assert rung(resources) == []

    resources.transport.send(0, packet_of(task(7)), is_named=False)
    assert rung(resources) == [1]
    assert resources.transport.take(1, memoryview(bytearray(in_flight.REGION_BYTES)))

    resources.transport.send(1, packet_of(task(8)), is_named=False)
    resources.wake_another(1)
    assert rung(resources) == [1]


@pytest.mark.parametrize(
    ("mode", "has_key"),
    [*((mode, False) for mode in IpcMode), (IpcMode.QUEUE, True), (IpcMode.PREEMPTIVE, True)],
)
def test_the_files_that_it_opens_are_as_many_as_was_said(
    tmp_path: Path, private_keys: list[int], queue_key: int, mode: IpcMode, has_key: bool
) -> None:
    key = queue_key if has_key else None
    settings = Settings(worker_num=3, task_worker_num=5, task_ipc_mode=mode, message_queue_key=key)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))

    resources = IpcResources(settings, tmp_path)
    gc.collect()

    assert len(os.listdir("/proc/self/fd")) - before == open_files(settings)
    resources.close()
