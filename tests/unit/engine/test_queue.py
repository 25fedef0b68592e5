"""engine/ipc/sysv_queue.py: tasks in a System V queue, which nobody else may touch and nobody waits for."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
import sysv_ipc

from engine.errors import StartError, UsageError
from engine.ipc import in_flight, sysv_queue
from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import HEAD_BYTES, PACKET_BYTES, PACKET_HEAD, Kind, Message, packets, to_bytes, unpack
from engine.ipc.sysv_queue import QueueTransport, ftok, limit, open_queue, remove_queue, unused_key

SOMEBODY_ELSE = 12_345  # a user id, not ours


def packet_of(*numbers: int) -> bytes:
    (packet,) = packets([to_bytes(Message(Kind.TASK, 0, 0, number, b"body")) for number in numbers])
    return packet


class Bell:
    """Notes who was woken."""

    def __init__(self) -> None:
        self.rung: list[tuple[int, bool]] = []
        self.removals = 0

    def __call__(self, number: int, is_named: bool) -> None:
        self.rung.append((number, is_named))

    def removed(self) -> None:
        self.removals += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def transport(queue: sysv_ipc.MessageQueue, bell: Bell) -> QueueTransport:
    return QueueTransport(queue, memoryview(bytearray(8)), bell, bell.removed)


def taken(transport: QueueTransport, number: int) -> list[int]:
    """Ids in the next packet for this task worker."""
    room = memoryview(bytearray(in_flight.REGION_BYTES))
    return [each.id for each in unpack(room[LEAD_BYTES:])] if transport.take(number, room) else []


# ── the way ─────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_queue_gives_nothing_and_does_not_block(transport: QueueTransport) -> None:
    room = memoryview(bytearray(in_flight.REGION_BYTES))

    assert (transport.take(0, room), transport.take_any(room)) == (0, 0)
    assert bytes(room) == bytes(in_flight.REGION_BYTES)


def test_packets_come_out_in_the_order_they_went_in_for_whoever_asks(transport: QueueTransport) -> None:
    for number in range(4):
        assert transport.send(0, packet_of(number), is_named=False)

    assert [taken(transport, number) for number in (3, 0, 2, 0)] == [[0], [1], [2], [3]]


def test_a_named_packet_is_for_one_alone_and_comes_first(transport: QueueTransport) -> None:
    transport.send(1, packet_of(10), is_named=False)
    transport.send(1, packet_of(11), is_named=True)
    transport.send(1, packet_of(12), is_named=True)

    assert taken(transport, 0) == [10]
    assert taken(transport, 0) == []
    assert [taken(transport, 1), taken(transport, 1), taken(transport, 1)] == [[11], [12], []]


def test_anything_is_taken_in_order_by_who_empties_the_queue(transport: QueueTransport) -> None:
    transport.send(1, packet_of(1), is_named=True)
    transport.send(0, packet_of(2), is_named=False)
    transport.send(7, packet_of(3), is_named=True)
    room = memoryview(bytearray(in_flight.REGION_BYTES))
    got = []

    while transport.take_any(room):
        got += [each.id for each in unpack(room[LEAD_BYTES:])]

    assert got == [1, 2, 3]


def test_a_packet_goes_behind_the_lead_and_no_further_than_its_end(transport: QueueTransport) -> None:
    packet = packet_of(1, 2, 3)
    transport.send(0, packet, is_named=False)
    room = memoryview(bytearray(b"\xff" * in_flight.REGION_BYTES))

    assert transport.take(0, room) == len(packet)

    assert room[LEAD_BYTES : LEAD_BYTES + len(packet)] == packet
    assert set(room[LEAD_BYTES + len(packet) :]) == {0xFF}


def test_a_packet_that_is_on_its_way_wakes_somebody(transport: QueueTransport, bell: Bell) -> None:
    transport.send(3, packet_of(1), is_named=False)
    transport.send(4, packet_of(2), is_named=True)

    assert bell.rung == [(3, True), (4, True)]


def test_a_packet_for_one_in_a_long_task_wakes_another_unless_it_is_for_that_one_alone(
    transport: QueueTransport, bell: Bell
) -> None:
    transport.wake_other(3)

    transport.send(3, packet_of(1), is_named=False)
    transport.send(3, packet_of(2), is_named=True)
    assert taken(transport, 3) == [2]
    transport.send(3, packet_of(3), is_named=False)

    assert bell.rung == [(3, False), (3, False), (3, True), (3, True)]


def test_a_full_queue_says_so_wakes_nobody_and_takes_again_once_there_is_room(
    queue: sysv_ipc.MessageQueue, bell: Bell
) -> None:
    queue.max_size = 4096
    transport = QueueTransport(queue, memoryview(bytearray(8)), bell, bell.removed)
    sent = 0
    while transport.send(0, packet_of(sent), is_named=False):
        sent += 1
        assert sent < 10_000
    rung = len(bell.rung)

    assert rung == sent > 10
    assert not transport.send(0, packet_of(99), is_named=True)
    assert taken(transport, 0) == [0]
    assert transport.send(0, packet_of(100), is_named=False)


def test_what_is_given_back_is_a_task_for_anybody(transport: QueueTransport, bell: Bell) -> None:
    task = Message(Kind.TASK, 0, 0, 7, b"body")
    (packet,) = packets([to_bytes(task)])

    assert transport.requeue(0, packet)
    transport.wake_other(0)

    assert taken(transport, 5) == [7]
    assert bell.rung == [(0, False)]


def test_a_queue_that_is_gone_is_told_of_and_neither_takes_nor_gives(queue: sysv_ipc.MessageQueue, bell: Bell) -> None:
    transport = QueueTransport(queue, memoryview(bytearray(8)), bell, bell.removed)
    queue.remove()

    assert not transport.send(0, packet_of(1), is_named=False)
    assert bell.removals == 1
    assert taken(transport, 0) == []
    assert bell.removals >= 2
    assert bell.rung == []


# ── sizes ───────────────────────────────────────────────────────────────────────────────────────


def test_the_largest_packet_goes_and_comes(transport: QueueTransport) -> None:
    packet = PACKET_HEAD.pack(transport.packet_bytes) + b"x" * (transport.packet_bytes - PACKET_HEAD.size)
    room = memoryview(bytearray(in_flight.REGION_BYTES))

    assert transport.send(0, packet, is_named=False)

    assert transport.take(0, room) == transport.packet_bytes
    assert room[LEAD_BYTES : LEAD_BYTES + transport.packet_bytes] == packet


def test_a_task_with_the_largest_body_fits_into_a_packet(transport: QueueTransport) -> None:
    largest = to_bytes(Message(Kind.TASK, 0, 0, 0, b"x" * transport.inline_bytes))

    assert [len(each) <= transport.packet_bytes for each in packets([largest], transport.packet_bytes)] == [True]


@pytest.mark.parametrize(
    ("msgmax", "packet", "inline"),
    [
        (8192, 8192, 8192 - HEAD_BYTES - PACKET_HEAD.size),
        (65_536, 65_536, 8192),
        (2**24, PACKET_BYTES, 8192),
    ],
    ids=["as the kernel comes", "larger", "larger than a hand"],
)
def test_packets_are_what_the_kernel_and_a_hand_can_take(
    queue: sysv_ipc.MessageQueue, bell: Bell, monkeypatch: pytest.MonkeyPatch, msgmax: int, packet: int, inline: int
) -> None:
    class Wide:
        id, max_size = queue.id, 2**24

    monkeypatch.setattr(sysv_queue, "limit", lambda name: msgmax)

    transport = QueueTransport(Wide(), memoryview(bytearray(8)), bell, bell.removed)

    assert (transport.packet_bytes, transport.inline_bytes) == (packet, inline)


def test_packets_are_no_larger_than_the_whole_queue(queue: sysv_ipc.MessageQueue, bell: Bell) -> None:
    queue.max_size = 1000

    transport = QueueTransport(queue, memoryview(bytearray(8)), bell, bell.removed)

    assert (transport.packet_bytes, transport.inline_bytes) == (1000, 1000 - HEAD_BYTES - PACKET_HEAD.size)


# ── keys and rights ─────────────────────────────────────────────────────────────────────────────


def test_a_new_queue_is_ours_alone_whatever_the_umask(queue_key: int) -> None:
    before = os.umask(0)
    try:
        queue = open_queue(queue_key)
    finally:
        os.umask(before)

    assert (queue.mode & 0o777, queue.uid) == (0o600, os.geteuid())


def test_a_queue_holds_at_least_what_the_kernel_gives(queue: sysv_ipc.MessageQueue) -> None:
    assert queue.max_size >= limit("msgmnb")


def test_a_queue_that_is_there_is_opened_with_what_it_holds(queue_key: int, queue: sysv_ipc.MessageQueue) -> None:
    queue.send(b"waits")

    assert open_queue(queue_key).receive() == (b"waits", 1)


@pytest.mark.parametrize("mode", [0o666, 0o660, 0o606, 0o622, 0o644])
def test_a_queue_that_others_may_use_is_refused_with_its_mode(queue_key: int, mode: int) -> None:
    sysv_ipc.MessageQueue(queue_key, sysv_ipc.IPC_CREX, mode=mode)

    with pytest.raises(StartError, match=f"must be ours with mode 0600, .*{mode:04o}"):
        open_queue(queue_key)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a queue away")
def test_a_queue_of_somebody_else_is_refused(queue_key: int, queue: sysv_ipc.MessageQueue) -> None:
    queue.uid = SOMEBODY_ELSE

    with pytest.raises(StartError, match=f"user {SOMEBODY_ELSE}'s"):
        open_queue(queue_key)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_queue_that_somebody_else_made_and_gave_to_us_is_refused(queue_key: int) -> None:
    """Whoever made it may write to it for ever."""
    pid = os.fork()
    if pid == 0:
        os.setuid(SOMEBODY_ELSE)
        given = sysv_ipc.MessageQueue(queue_key, sysv_ipc.IPC_CREX, mode=0o600)
        given.uid = 0
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

    with pytest.raises(StartError, match=f"it is user 0's, made by user {SOMEBODY_ELSE}, with 0600"):
        open_queue(queue_key)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_queue_that_we_may_not_even_open_is_refused(queue_key: int, queue: sysv_ipc.MessageQueue) -> None:
    pid = os.fork()
    if pid == 0:
        os.setuid(SOMEBODY_ELSE)
        with suppress(StartError):
            open_queue(queue_key)
            os._exit(1)
        os._exit(0)

    assert os.waitpid(pid, 0)[1] == 0


def test_a_removed_queue_is_gone_and_removing_it_again_does_no_harm(
    queue_key: int, queue: sysv_ipc.MessageQueue
) -> None:
    remove_queue(queue_key)
    remove_queue(queue_key)

    with pytest.raises(sysv_ipc.ExistentialError):
        sysv_ipc.MessageQueue(queue_key)


def test_an_unused_key_is_one_that_no_queue_has(
    queue_key: int, queue: sysv_ipc.MessageQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = unused_key()
    drawn = iter([queue_key - 1, free - 1])
    monkeypatch.setattr("secrets.randbelow", lambda limit: next(drawn))

    assert unused_key() == free


@pytest.mark.parametrize("proj", [1, 2, 64, 127])
def test_ftok_gives_what_the_c_library_gives(tmp_path: Path, proj: int) -> None:
    for path in (tmp_path, Path(__file__), Path("/proc/self")):
        assert ftok(str(path), proj) == sysv_ipc.ftok(str(path), proj, silence_warning=True)


@pytest.mark.parametrize("proj", [0, -1, 128, 255])
def test_a_proj_that_gives_no_key_above_0_is_refused(proj: int) -> None:
    with pytest.raises(UsageError, match="1 to 127"):
        ftok(__file__, proj)


def test_a_path_that_is_not_there_gives_no_key(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ftok(str(tmp_path / "nothing"), 1)
