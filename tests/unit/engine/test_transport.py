"""engine/ipc/transport.py: what waits for a task worker that takes nothing, others take, and it is never nowhere."""

from collections.abc import Callable

import pytest

from engine.ipc import in_flight
from engine.ipc.board import BLOCKED, BLOCKED_WITH_TASKS, Board
from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import PACKET_BYTES, unpack
from engine.ipc.transport import SocketTransport
from engine.ipc.unix_socket import UnixSocketChannel
from tests.unit.engine.starts import packet_of, task

FIRST_INBOX = 2


class World:
    """Three task workers, and a bell that notes whom it was rung for."""

    def __init__(self) -> None:
        self.board = Board(1, 3)
        self.channel = UnixSocketChannel(FIRST_INBOX + 3)
        self.rung: list[tuple[int, bool]] = []
        self.transport = SocketTransport(
            self.channel, FIRST_INBOX, self.board.blocked, lambda number, is_named: self.rung.append((number, is_named))
        )

    def send(self, number: int, *ids: int, is_named: bool = False) -> None:
        assert self.transport.send(number, packet_of(*map(task, ids)), is_named=is_named)

    def taken(self, number: int) -> list[int]:
        room = memoryview(bytearray(in_flight.REGION_BYTES))
        return [each.id for each in unpack(room[LEAD_BYTES:])] if self.transport.take(number, room) else []


@pytest.fixture
def world() -> World:
    return World()


def test_a_task_worker_takes_what_was_sent_to_it_in_order_and_nobody_else_does(world: World) -> None:
    world.send(0, 1, 2)
    world.send(0, 3)

    assert world.taken(1) == []
    assert [world.taken(0), world.taken(0), world.taken(0)] == [[1, 2], [3], []]
    assert world.rung == []


def test_who_has_nothing_takes_from_one_that_takes_nothing_for_now(world: World) -> None:
    world.send(0, 1)
    world.send(0, 2)
    world.send(1, 3)

    world.transport.wake_other(0)

    assert world.rung == [(0, False)]
    assert [world.taken(1), world.taken(1), world.taken(2), world.taken(2)] == [[3], [1], [2], []]


def test_nobody_is_woken_for_one_behind_whom_nothing_waits(world: World) -> None:
    world.transport.wake_other(0)

    assert world.rung == []


def test_what_comes_behind_a_long_task_wakes_another_who_finds_it_though_all_have_looked(world: World) -> None:
    world.transport.wake_other(0)
    assert [world.taken(1), world.taken(2)] == [[], []]
    assert world.board.blocked[0] == BLOCKED

    world.send(0, 4)

    assert world.rung == [(0, False)]
    assert world.taken(2) == [4]


def test_what_comes_at_the_moment_when_another_finds_nothing_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked, and is about to note that nothing is there."""
    world.transport.wake_other(0)
    receive_into = world.transport._tasks.receive_into
    looks = iter([lambda: None, lambda: world.send(0, 5)])

    def receive(number: int, room: memoryview) -> int:
        size = receive_into(number, room)
        if number == 0:
            late: Callable[[], None] = next(looks, lambda: None)
            late()
        return size

    next(looks)
    monkeypatch.setattr(world.transport._tasks, "receive_into", receive)

    assert world.taken(1) == [5]
    assert world.board.blocked[0] == BLOCKED_WITH_TASKS


def test_once_it_takes_again_what_is_sent_to_it_is_its_own(world: World) -> None:
    world.transport.wake_other(0)
    assert world.taken(0) == []

    world.send(0, 6)

    assert world.taken(1) == []
    assert world.taken(0) == [6]
    assert world.rung == []


def test_who_was_woken_for_what_waits_elsewhere_and_is_kept_by_a_part_of_it_wakes_the_next(world: World) -> None:
    world.send(0, 10)
    world.send(0, 11)
    world.transport.wake_other(0)
    assert world.taken(1) == [10]

    world.transport.wake_other(1)

    assert world.rung == [(0, False), (1, False)]
    assert world.taken(2) == [11]


def test_what_is_for_one_alone_goes_into_its_inbox_and_is_left_there(world: World) -> None:
    world.send(0, 7, is_named=True)

    world.transport.wake_other(0)

    assert world.taken(1) == []
    assert [each.id for each in unpack(world.channel.receive(FIRST_INBOX) or b"")] == [7]


def test_what_is_given_back_is_taken_by_another(world: World) -> None:
    assert world.transport.requeue(0, packet_of(task(8), task(9)))
    world.transport.wake_other(0)

    assert world.rung == [(0, False)]
    assert world.taken(1) == [8, 9]


def test_a_full_socket_says_so_and_takes_again_once_there_is_room(world: World) -> None:
    large = b"x" * PACKET_BYTES
    sent = 0
    while world.transport.send(0, large, is_named=False):
        sent += 1
        assert sent < 10_000

    assert sent >= 2
    assert not world.transport.requeue(0, large)
    assert world.transport.send(1, large, is_named=False)

    world.transport.take(0, memoryview(bytearray(in_flight.REGION_BYTES)))
    assert world.transport.requeue(0, large)
