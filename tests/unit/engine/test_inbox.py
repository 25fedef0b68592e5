"""engine/worker/inbox.py: everything is read once, in rounds, by the process it is for."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.inbox_packet import REGION_BYTES, InboxPacket
from engine.ipc.memory import anonymous
from engine.ipc.message import Kind, Message, packets, to_bytes, unpack
from engine.ipc.spill import SpillDirectory
from engine.ipc.unix_socket import UnixSocketChannel
from engine.worker.inbox import Inbox
from engine.worker.inbox_processor import InboxProcessor

OWN, OTHER = 0, 1
A_ROUND = 64


class House:
    """The inboxes of both places of an event worker, and what the process in one of them handled."""

    def __init__(self, directory: Path) -> None:
        self.board = Board(1, 0)
        self.channel = UnixSocketChannel(2)
        self.packet = InboxPacket(anonymous("", REGION_BYTES).view)
        self.handled: list[tuple[int, bool]] = []
        self.on_handled = lambda: None
        processor = InboxProcessor(Bodies(SpillDirectory(directory), OWN), 100, self._handle, self._handle)
        self.inbox = Inbox(self.board, self.channel, OWN, self.packet, processor)

    def _handle(self, message: Message, is_foreign: bool) -> None:
        self.handled.append((message.id, is_foreign))
        self.on_handled()

    def say(self, to: int, *ids: int) -> None:
        (packet,) = packets([to_bytes(Message(Kind.PIPE, 0, OWN, each, b"")) for each in ids])
        assert self.channel.send(to, packet)

    def read_other(self) -> bool:
        return self.inbox.read_other(OTHER)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_flood_is_read_in_rounds(house: House) -> None:
    for first in range(0, 800, 8):
        house.say(OWN, *range(first, first + 8))

    house.inbox.read()
    assert house.handled == [(each, False) for each in range(A_ROUND * 8)]
    house.inbox.read()

    assert house.handled == [(each, False) for each in range(800)]


def test_nobody_looks_behind_a_packet_of_few_messages(house: House) -> None:
    house.say(OWN, 1, 2, 3)
    house.say(OWN, 4)

    house.inbox.read()
    assert house.handled == [(1, False), (2, False), (3, False)]
    house.inbox.read()

    assert house.handled[3:] == [(4, False)]


def test_nothing_to_read_is_no_error_and_leaves_nothing(house: House) -> None:
    house.inbox.read()

    assert house.handled == []
    assert house.packet.leftover(100) == ([], 0)


def test_while_the_server_stops_all_is_read_however_much_it_is(house: House) -> None:
    count = 2 * A_ROUND
    for each in range(count):
        house.say(OWN, each)
    house.board.note_stopping()

    house.inbox.read_to_the_end()

    assert house.handled == [(each, False) for each in range(count)]


def test_while_the_server_goes_on_the_rest_is_left_to_who_follows(house: House) -> None:
    house.say(OWN, 1)

    house.inbox.read_to_the_end()

    assert house.handled == []
    assert [each.id for each in unpack(house.channel.receive(OWN) or b"")] == [1]


def test_what_was_taken_and_not_handled_is_handled_by_who_follows(house: House) -> None:
    house.say(OWN, 1, 2)
    house.packet.take(lambda room: house.channel.receive_into(OWN, room))
    house.packet.handled(1)

    house.inbox.process_leftover()

    assert house.handled == [(2, False)]


def test_the_other_places_inbox_is_read_while_nobody_sits_there(house: House) -> None:
    house.say(OTHER, 1)
    house.say(OTHER, 2)

    assert house.read_other() is True

    assert house.handled == [(1, True), (2, True)]


def test_who_sits_in_the_other_place_reads_the_inbox_himself(house: House) -> None:
    house.say(OTHER, 1)
    house.say(OTHER, 2)
    house.on_handled = lambda: house.board.put(OTHER, Cell.PID, 4711)

    assert house.read_other() is False

    assert house.handled == [(1, True)]
    assert [each.id for each in unpack(house.channel.receive(OTHER) or b"")] == [2]


def test_nobody_sits_down_in_the_other_place_while_a_packet_is_taken_that_could_be_for_him(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.say(OTHER, 1)
    receive_into = house.channel.receive_into
    may_sit_down: list[bool] = []

    def take(number: int, room: memoryview) -> int:
        may_sit_down.append(in_another_process(lambda: sit_down(house.board, patience_s=0.2)))
        return receive_into(number, room)

    monkeypatch.setattr(house.channel, "receive_into", take)

    assert house.read_other() is True

    assert house.handled == [(1, True)]
    assert may_sit_down == [False, False]
    assert in_another_process(lambda: sit_down(house.board, patience_s=60))
    assert house.read_other() is False


def sit_down(board: Board, patience_s: float) -> None:
    """Enter a process id there, as whoever begins does; one who has to wait for that is ended."""
    signal.setitimer(signal.ITIMER_REAL, patience_s)
    with board.seats_locked(OTHER):
        board.put(OTHER, Cell.PID, os.getpid())


def in_another_process(do: Callable[[], None]) -> bool:
    """Whether it could do that."""
    if (pid := os.fork()) == 0:
        do()
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0
