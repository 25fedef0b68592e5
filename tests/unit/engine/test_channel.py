"""engine/ipc/unix_socket.py and engine/worker/outbox.py: packets arrive whole, in order, and nobody blocks."""

import asyncio
import os
from pathlib import Path

import pytest

from engine.errors import InboxFull
from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.message import PACKET_BYTES, Kind, Message, unpack
from engine.ipc.spill import SpillDirectory
from engine.ipc.unix_socket import UnixSocketChannel
from engine.worker.outbox import Outbox


def test_an_empty_inbox_gives_nothing_and_does_not_block() -> None:
    channel = UnixSocketChannel(2)

    assert channel.receive(0) is None
    assert channel.receive_into(1, memoryview(bytearray(10))) == 0


def test_packets_arrive_whole_in_order_and_only_where_they_were_sent() -> None:
    channel = UnixSocketChannel(2)
    sent = [bytes([number]) * (number * 700 + 1) for number in range(20)]

    assert all(channel.send(0, packet) for packet in sent)

    assert [channel.receive(0) for _ in range(20)] == sent
    assert channel.receive(1) is None


def test_the_largest_packet_fits_and_several_of_them() -> None:
    channel = UnixSocketChannel(1)

    accepted = [channel.send(0, b"x" * PACKET_BYTES) for _ in range(2)]

    assert accepted == [True, True]


def test_a_full_inbox_says_so_and_takes_again_once_there_is_room() -> None:
    channel = UnixSocketChannel(1)
    sent = 0
    while channel.send(0, b"x" * 1000):
        sent += 1
        assert sent < 100_000

    while channel.receive(0):
        sent -= 1

    assert sent == 0
    assert channel.send(0, b"again")


def test_small_packets_are_not_limited_by_their_number() -> None:
    """net.unix.max_dgram_qlen, 10 on many machines, must not count."""
    channel = UnixSocketChannel(1)

    assert all(channel.send(0, b"x") for _ in range(100))


def test_what_a_dead_process_did_not_take_stays_for_the_next() -> None:
    channel = UnixSocketChannel(1)
    channel.send(0, b"first")
    channel.send(0, b"second")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if channel.receive(0) == b"first" else 1)

    assert os.waitpid(pid, 0)[1] == 0

    assert channel.receive(0) == b"second"


# ── the outbox ──────────────────────────────────────────────────────────────────────────────────


def outbox_of(channel: UnixSocketChannel, directory: Path) -> Outbox:
    """That of the event worker in place 0, which may write to the inboxes of places 0 and 1."""
    return Outbox(asyncio.get_running_loop(), channel, Board(1, 0), Bodies(SpillDirectory(directory), 0))


def task(number: int, body: bytes = b"") -> Message:
    return Message(1, 0, 0, number, body)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the outbox tells nobody when it is empty
            await asyncio.sleep(0.001)


def test_the_messages_of_one_turn_travel_in_one_packet(tmp_path: Path) -> None:
    channel = UnixSocketChannel(2)

    async def post() -> None:
        outbox = outbox_of(channel, tmp_path)
        for number in range(50):
            outbox.post(1, task(number))
        await until(lambda: not outbox.waiting_for())

    asyncio.run(post())

    packet = channel.receive(1)
    assert packet is not None
    assert [each.id for each in unpack(packet)] == list(range(50))
    assert channel.receive(1) is None


@pytest.mark.parametrize("count", [2000])
def test_a_full_inbox_keeps_the_order_and_loses_nothing(tmp_path: Path, count: int) -> None:
    channel = UnixSocketChannel(1)
    got: list[int] = []

    async def post_then_read() -> None:
        outbox = outbox_of(channel, tmp_path)
        for number in range(count):
            outbox.post(0, task(number, b"x" * 4000))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert outbox.waiting_for() == [0]
        while len(got) < count:
            if packet := channel.receive(0):
                got.extend(each.id for each in unpack(packet))
            await asyncio.sleep(0)
        await until(lambda: not outbox.waiting_for())

    asyncio.run(asyncio.wait_for(post_then_read(), 30))

    assert got == list(range(count))


def test_what_waits_for_workers_that_do_not_read_is_bounded_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.worker.outbox.MOST_BYTES", 1_000_000)
    channel, spill = UnixSocketChannel(2), SpillDirectory(tmp_path)

    async def post() -> int:
        outbox = outbox_of(channel, tmp_path)
        taken = 0
        with pytest.raises(InboxFull) as caught:
            while taken < 10_000:
                outbox.tell(taken % 2, Kind.PIPE, 0, b"x" * 4000)
                taken += 1
                if taken % 50 == 0:
                    await asyncio.sleep(0)
        assert caught.value.limit_bytes == 1_000_000
        with pytest.raises(InboxFull):
            outbox.tell(0, Kind.PIPE, 0, b"y" * 8000)
        await until(lambda: not (channel.receive(0) or channel.receive(1) or outbox.waiting_for()))
        outbox.tell(0, Kind.PIPE, 0, b"again")
        return taken

    taken = asyncio.run(asyncio.wait_for(post(), 30))

    assert 250 <= taken < 10_000
    assert spill.count() == 0


def test_one_message_of_any_size_goes_where_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.outbox.MOST_BYTES", 100)
    channel = UnixSocketChannel(1)

    async def post() -> None:
        outbox = outbox_of(channel, tmp_path)
        outbox.tell(0, Kind.PIPE, 0, b"x" * 4000)
        outbox.flush()
        outbox.tell(0, Kind.PIPE, 0, b"x" * 4000)

    asyncio.run(post())


def test_what_files_are_told_of_is_noted_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, board, bodies = UnixSocketChannel(2), Board(1, 0), Bodies(SpillDirectory(tmp_path), 0)
    noted: list[int] = []
    send = channel.send

    def note_and_send(to: int, packet: bytes) -> bool:
        noted.append(board.get(0, Cell.FILES_SENT))
        return send(to, packet)

    monkeypatch.setattr(channel, "send", note_and_send)

    async def post() -> None:
        outbox = Outbox(asyncio.get_running_loop(), channel, board, bodies)
        outbox.tell(1, Kind.PIPE, 0, b"x" * 10_000)
        assert board.get(0, Cell.FILES_SENT) == 0
        outbox.flush()

    asyncio.run(post())

    assert noted == [1]


def test_it_pays_to_wait_only_where_a_process_reads_the_inbox(tmp_path: Path) -> None:
    channel, board = UnixSocketChannel(2), Board(1, 0)

    async def post() -> list[bool]:
        outbox = Outbox(asyncio.get_running_loop(), channel, board, Bodies(SpillDirectory(tmp_path), 0))
        found = [outbox.waits_for_readers()]
        outbox.post(1, task(0))
        found.append(outbox.waits_for_readers())
        board.put(1, Cell.PID, 4711)
        found.append(outbox.waits_for_readers())
        outbox.flush()
        return [*found, outbox.waits_for_readers()]

    assert asyncio.run(post()) == [False, False, True, False]
