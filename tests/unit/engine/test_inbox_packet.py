"""engine/ipc/inbox_packet.py: the packet an event worker reads is there for the one that follows it."""

import os

import pytest

from engine.ipc.inbox_packet import REGION_BYTES, InboxPacket
from engine.ipc.memory import anonymous
from engine.ipc.message import EMPTY_PACKET, PACKET_BYTES, Kind, Message, packets, to_bytes


def answer(number: int) -> Message:
    return Message(Kind.FINISH, 0, 2, number, b"result")


def giving(packet: bytes):
    """What a channel does: write a packet into the memory it is given."""

    def receive_into(room: memoryview) -> int:
        room[: len(packet)] = packet
        return len(packet)

    return receive_into


def packet_of(*messages: Message) -> bytes:
    (packet,) = packets([to_bytes(each) for each in messages], 2 * PACKET_BYTES)
    return packet


@pytest.fixture
def memory() -> memoryview:
    return anonymous("", REGION_BYTES).view


@pytest.fixture
def inbox_packet(memory: memoryview) -> InboxPacket:
    return InboxPacket(memory)


THREE = [answer(0), answer(1), answer(2)]


def left(memory: memoryview, most_deaths: int = 100) -> list[int]:
    """Ids that the next process in this place has to handle."""
    return [each.id for each in InboxPacket(memory).leftover(most_deaths)[0]]


def test_new_memory_holds_nothing(memory: memoryview) -> None:
    assert InboxPacket(memory).leftover(3) == ([], 0)


def test_a_packet_is_told_from_none(inbox_packet: InboxPacket) -> None:
    assert inbox_packet.take(lambda room: 0) is None
    assert inbox_packet.take(giving(EMPTY_PACKET)) == []
    assert inbox_packet.take(giving(packet_of(*THREE))) == THREE


def test_what_was_taken_and_not_handled_is_left(inbox_packet: InboxPacket, memory: memoryview) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))

    assert InboxPacket(memory).leftover(3) == (THREE, 0)


def test_what_was_handled_is_not_left_and_the_count_goes_on_from_there(
    inbox_packet: InboxPacket, memory: memoryview
) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))
    inbox_packet.handled(2)

    assert InboxPacket(memory).leftover(3) == (THREE[2:], 2)


@pytest.mark.parametrize("handled", [0, 3])
def test_a_cleared_packet_leaves_nothing(inbox_packet: InboxPacket, memory: memoryview, handled: int) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))
    inbox_packet.handled(handled)

    inbox_packet.clear()

    assert InboxPacket(memory).leftover(3) == ([], 0)


def test_the_next_packet_starts_afresh(inbox_packet: InboxPacket, memory: memoryview) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))
    inbox_packet.handled(3)
    inbox_packet.clear()
    inbox_packet.take(giving(packet_of(answer(7))))

    assert left(memory) == [7]


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_a_message_that_kills_each_time_is_passed_over_after_so_many_deaths(
    inbox_packet: InboxPacket, memory: memoryview, most: int
) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))
    inbox_packet.handled(1)

    found = [left(memory, most) for _ in range(most)]

    assert found == [[1, 2]] * (most - 1) + [[2]]


def test_each_message_has_its_own_deaths(inbox_packet: InboxPacket, memory: memoryview) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))
    assert left(memory, 3) == [0, 1, 2]  # one death
    assert left(memory, 3) == [0, 1, 2]  # and another, and then it is handled
    InboxPacket(memory).handled(1)

    assert [left(memory, 3) for _ in range(3)] == [[1, 2], [1, 2], [2]]


def test_messages_that_all_kill_end_all_the_same(inbox_packet: InboxPacket, memory: memoryview) -> None:
    inbox_packet.take(giving(packet_of(*THREE)))

    lives = [left(memory, 2) for _ in range(6)]

    assert lives == [[0, 1, 2], [1, 2], [1, 2], [2], [2], []]


def test_the_largest_packet_fits(inbox_packet: InboxPacket, memory: memoryview) -> None:
    largest = [Message(Kind.PIPE, 0, 0, number, b"x" * 8000) for number in range(2 * PACKET_BYTES // 8017)]
    inbox_packet.take(giving(packet_of(*largest)))

    assert InboxPacket(memory).leftover(3) == (largest, 0)


def test_another_process_finds_what_a_dead_one_had(inbox_packet: InboxPacket) -> None:
    pid = os.fork()
    if pid == 0:
        inbox_packet.take(giving(packet_of(*THREE)))
        inbox_packet.handled(1)
        os._exit(0)
    os.waitpid(pid, 0)

    assert inbox_packet.leftover(3) == (THREE[1:], 1)
