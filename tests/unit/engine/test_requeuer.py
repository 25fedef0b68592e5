"""engine/task_worker/requeuer.py: long tasks are found, and what others may do goes back, each once."""

import threading

import pytest

from engine.ipc.in_flight import REGION_BYTES, InFlight
from engine.ipc.message import Message, unpack
from engine.task_worker import requeuer
from engine.task_worker.requeuer import Requeuer, requeue
from tests.unit.engine.starts import packet_of, task


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requeuer, "LONG_S", 0.0001)
    monkeypatch.setattr(requeuer, "_LOOKS_BEFORE_REST", 3)


class TaskAtWork:
    """What the thread sees; a message is in hand until it is told otherwise."""

    def __init__(self) -> None:
        self.is_in_hand = True
        self.is_all = True
        self.found: list[int] = []
        self.was_found = threading.Semaphore(0)
        self.requeuer = Requeuer(self.on_long, lambda: self.is_in_hand)

    def on_long(self) -> bool:
        self.found.append(self.requeuer.begun)
        self.was_found.release()
        return self.is_all

    def begin(self) -> int:
        self.requeuer.watch()
        return self.requeuer.begun


def test_a_message_that_takes_long_is_found_once_though_it_came_alone() -> None:
    at_work = TaskAtWork()
    first = at_work.begin()
    assert at_work.was_found.acquire(timeout=10)

    second = at_work.begin()
    assert at_work.was_found.acquire(timeout=10)

    assert at_work.found == [first, second]
    at_work.is_in_hand = False


def test_one_that_is_begun_after_a_long_rest_is_found_as_well() -> None:
    at_work = TaskAtWork()
    at_work.begin()
    assert at_work.was_found.acquire(timeout=10)
    while at_work.requeuer._is_needed.is_set():
        threading.Event().wait(0.001)

    second = at_work.begin()

    assert at_work.was_found.acquire(timeout=10)
    assert at_work.found[-1] == second
    at_work.is_in_hand = False


def test_what_found_no_room_is_tried_again_while_the_same_message_is_in_hand() -> None:
    at_work = TaskAtWork()
    at_work.is_all = False
    first = at_work.begin()

    for _ in range(5):
        assert at_work.was_found.acquire(timeout=10)
    at_work.is_in_hand = False

    assert set(at_work.found) == {first}


class Way:
    """Takes so many packets of at most two small tasks."""

    packet_bytes = 60

    def __init__(self, room: int) -> None:
        self.room = room
        self.came_back: list[list[Message]] = []

    def requeue(self, number: int, packet: bytes) -> bool:
        if len(self.came_back) == self.room:
            return False
        self.came_back.append(unpack(packet))
        return True


def test_where_nothing_can_go_back_nothing_is_sent() -> None:
    transport = Way(1)

    assert requeue(transport, 0, InFlight(memoryview(bytearray(REGION_BYTES))), []) == []  # type: ignore[arg-type]
    assert transport.came_back == []


@pytest.mark.parametrize(("room", "gone"), [(9, 5), (2, 4), (0, 0)])
def test_what_goes_back_is_no_longer_in_hand_and_what_finds_no_room_stays(room: int, gone: int) -> None:
    in_flight, packet, transport = (
        InFlight(memoryview(bytearray(REGION_BYTES))),
        packet_of(*map(task, range(6))),
        Way(room),
    )

    def receive_into(memory: memoryview) -> int:
        memory[8 : 8 + len(packet)] = packet
        return len(packet)

    first, *rest = in_flight.take(receive_into)

    stay = requeue(transport, 0, in_flight, rest)  # type: ignore[arg-type]

    assert [each.id for packet in transport.came_back for each in packet] == list(range(1, 1 + gone))
    assert stay == rest[gone:]
    assert in_flight.leftover() == [first, *rest[gone:]]
