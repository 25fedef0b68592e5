"""engine/worker/connection.py: one client, with a transport that only notes what is done to it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import pytest

from engine.errors import SendBufferFull
from engine.settings import Settings
from engine.worker.connection import LINGER_S, STUCK_S, TURN_S, Connection
from tests.unit.engine.stand_ins import Transport, Worker


def connected(**settings: Any) -> tuple[Connection, Transport, Worker]:
    worker = Worker(Settings(open_length_check=True, package_body_offset=4, package_max_length=100, **settings))
    connection = Connection(worker)
    transport = Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport, worker


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_frames_go_to_the_worker_one_by_one() -> None:
    connection, _, worker = connected()

    connection.data_received(frame(b"one") + frame(b"two")[:3])
    connection.data_received(frame(b"two")[3:])

    assert worker.frames == [frame(b"one"), frame(b"two")]


def test_after_it_was_closed_no_further_frame_is_delivered() -> None:
    connection, _, worker = connected()
    worker.on_frame = lambda frame: connection.close() and None

    connection.data_received(frame(b"bye") + frame(b"too late"))
    connection.data_received(frame(b"far too late"))

    assert worker.frames == [frame(b"bye")]


def test_a_bad_length_closes_it_with_one_line_that_tells_who_and_what(caplog: pytest.LogCaptureFixture) -> None:
    connection, transport, worker = connected()

    with caplog.at_level(logging.WARNING):
        connection.data_received(frame(b"good") + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert worker.frames == [frame(b"good")]
    assert (transport.said_eof, worker.ends) == (True, 1)
    (line,) = caplog.records
    assert (
        vars(line).items()
        >= {
            "peer": "192.0.2.7:4711",
            "announced_bytes": int.from_bytes(b"GET ", "big") + 4,
            "limit_bytes": 100,
            "head": b"GET / HTTP/1.1\r\n".hex(" "),
            "guess": "looks like HTTP",
        }.items()
    )


def test_how_a_bad_frame_began_is_not_written_down_where_that_is_not_wanted(caplog: pytest.LogCaptureFixture) -> None:
    connection, _, _ = connected(log_frame_head=False)

    with caplog.at_level(logging.WARNING):
        connection.data_received(b'{"token": "secret"}')

    (line,) = caplog.records
    assert "head" not in vars(line)
    assert vars(line)["guess"] == "looks like JSON without its length"
    assert b'"tok'.hex(" ") not in line.getMessage()


def test_sending_writes_and_a_closed_connection_takes_nothing() -> None:
    connection, transport, _ = connected()

    assert connection.send(b"one")
    assert connection.close()

    assert not connection.send(b"two")
    assert not connection.close()
    assert transport.written == b"one"


def test_bytes_are_counted_as_they_come_and_as_they_are_handed_out() -> None:
    connection, transport, worker = connected()

    connection.data_received(frame(b"one")[:5])
    connection.send(b"answer")
    connection.close()
    connection.data_received(b"dropped")
    connection.send(b"not sent")

    assert (worker.came_bytes, worker.went_bytes) == (12, len(transport.written)) == (12, 6)


def test_a_lost_connection_takes_nothing_and_is_told_once() -> None:
    connection, transport, worker = connected()

    connection.connection_lost(ConnectionResetError())

    assert (connection.send(b"x"), connection.close(), worker.gone) == (False, False, 1)
    assert transport.written == b""


def test_a_client_that_does_not_read_gets_no_more_than_the_limit() -> None:
    connection, transport, _ = connected(buffer_output_size=1000)
    transport.waiting_bytes = 600

    assert connection.send(b"x" * 400)
    with pytest.raises(SendBufferFull) as caught:
        connection.send(b"x" * 401)

    error = caught.value
    assert (error.fd, error.waiting_bytes, error.limit_bytes) == (7, 600, 1000)
    assert len(transport.written) == 400


def test_an_answer_larger_than_the_limit_can_be_sent_when_nothing_waits() -> None:
    connection, _, _ = connected(buffer_output_size=1000)

    assert connection.send(b"x" * 5000)


@pytest.mark.parametrize("coroutines", [0, 1, 3])
def test_a_client_that_said_its_last_word_is_kept_while_its_frames_are_at_work(coroutines: int) -> None:
    async def talk() -> tuple[bool, bool, bool]:
        connection, transport, worker = connected()
        gate = asyncio.Event()
        works: list[asyncio.Future[Any]] = []

        def at_work(frame: bytes) -> Awaitable[Any]:
            works.append(asyncio.ensure_future(gate.wait()))
            return works[-1]

        worker.on_frame = at_work
        for _ in range(coroutines):
            connection.data_received(frame(b"x"))
        keeps = connection.eof_received()
        was_closed = transport.is_closed
        gate.set()
        await asyncio.gather(*works)
        await asyncio.sleep(0)
        return keeps, was_closed, transport.is_closed

    keeps, was_closed, is_closed = asyncio.run(talk())

    assert (keeps, was_closed, is_closed) == (coroutines > 0, coroutines == 0, True)


# ── pauses ──────────────────────────────────────────────────────────────────────────────────────


def test_a_paused_connection_neither_reads_nor_hands_out_what_is_here() -> None:
    connection, transport, worker = connected()

    connection.pause()
    connection.data_received(frame(b"one") + frame(b"two"))

    assert not transport.is_reading
    assert worker.frames == []


def test_resumed_it_hands_out_what_came_before_and_reads_on() -> None:
    connection, transport, worker = connected()
    connection.pause()
    connection.data_received(frame(b"one") + frame(b"two") + frame(b"three")[:5])

    connection.resume()
    connection.data_received(frame(b"three")[5:])

    assert worker.frames == [frame(b"one"), frame(b"two"), frame(b"three")]
    assert transport.is_reading


def test_a_pause_in_the_middle_of_a_burst_keeps_the_rest_of_it() -> None:
    connection, transport, worker = connected()
    worker.on_frame = lambda frame: connection.pause()

    connection.data_received(frame(b"one") + frame(b"two") + frame(b"three"))
    heard = [len(worker.frames)]
    for _ in range(2):
        connection.resume()
        heard.append(len(worker.frames))

    assert heard == [1, 2, 3]
    assert not transport.is_reading


def test_paused_and_resumed_by_one_callback_it_hands_out_in_order() -> None:
    connection, transport, worker = connected()
    inside = []

    def on_frame(given: bytes) -> None:
        inside.append("in " + given[4:].decode())
        connection.pause()
        connection.resume()
        inside.append("out")

    worker.on_frame = on_frame
    connection.data_received(frame(b"one") + frame(b"two"))

    assert inside == ["in one", "out", "in two", "out"]
    assert transport.is_reading


def test_pausing_twice_is_pausing_once_and_so_is_resuming() -> None:
    connection, transport, worker = connected()

    connection.pause()
    connection.pause()
    connection.resume()
    assert transport.is_reading
    connection.resume()
    connection.data_received(frame(b"one"))

    assert worker.frames == [frame(b"one")]


def test_a_client_that_left_during_a_pause_is_heard_out_before_it_is_closed() -> None:
    connection, transport, worker = connected()
    connection.pause()
    connection.data_received(frame(b"last words"))

    keeps = connection.eof_received()
    connection.resume()

    assert keeps
    assert worker.frames == [frame(b"last words")]
    assert transport.is_closed


def test_a_client_that_left_stays_as_long_as_its_frames_are_held_back_again() -> None:
    connection, transport, worker = connected()
    connection.pause()
    connection.data_received(frame(b"one") + frame(b"two"))
    connection.eof_received()
    worker.on_frame = lambda frame: connection.pause()

    connection.resume()
    was_closed = transport.is_closed
    worker.on_frame = lambda frame: None
    connection.resume()

    assert worker.frames == [frame(b"one"), frame(b"two")]
    assert (was_closed, transport.is_closed) == (False, True)


def test_a_connection_lost_during_a_pause_is_told_after_its_frames() -> None:
    connection, _, worker = connected()
    connection.pause()
    connection.data_received(frame(b"last words"))

    connection.connection_lost(ConnectionResetError())
    before = (list(worker.frames), worker.ends, worker.gone)
    connection.resume()
    connection.resume()

    assert before == ([], 0, 0)
    assert (worker.frames, worker.ends, worker.gone) == ([frame(b"last words")], 1, 1)
    assert not connection.send(b"x")


def test_a_connection_lost_during_a_pause_can_be_closed() -> None:
    connection, _, worker = connected()
    connection.pause()
    connection.data_received(frame(b"last words"))
    connection.connection_lost(None)

    assert not connection.close()
    connection.resume()

    assert (worker.frames, worker.ends, worker.gone) == ([], 1, 1)


def test_one_that_is_not_read_from_any_more_is_not_after_a_pause_either() -> None:
    connection, transport, worker = connected()
    connection.pause()
    connection.data_received(frame(b"before"))

    connection.stop_reading()
    connection.resume()

    assert worker.frames == [frame(b"before")]
    assert not transport.is_reading


# ── the end ─────────────────────────────────────────────────────────────────────────────────────


def test_closing_says_so_and_drops_what_still_comes_until_the_client_closes() -> None:
    connection, transport, worker = connected()
    connection.send(b"bye")
    connection.stop_reading()

    assert connection.close()
    connection.data_received(frame(b"too late"))

    assert (transport.said_eof, transport.is_reading, transport.is_closed) == (True, True, False)
    assert not connection.eof_received(), "and with that the transport closes"
    assert worker.frames == []


def test_a_client_that_never_closes_is_closed_after_a_while_that_begins_when_all_is_sent() -> None:
    connection, transport, worker = connected()
    transport.waiting_bytes = 10

    connection.close()
    timers_before = list(worker.timers)
    transport.waiting_bytes = 0
    connection.resume_writing()
    (timer,) = worker.timers
    timer.call()

    assert timers_before == []
    assert timer.delay_s == LINGER_S
    assert transport.is_closed


def test_a_client_that_closes_in_time_leaves_no_timer_behind() -> None:
    connection, _, worker = connected()
    connection.close()

    connection.connection_lost(None)

    assert [timer.is_cancelled for timer in worker.timers] == [True]


def test_a_client_that_closed_before_is_closed_at_once() -> None:
    connection, transport, worker = connected()
    connection.pause()
    connection.eof_received()

    assert connection.close()

    assert transport.is_closed
    assert worker.ends == 1


def test_the_end_is_told_when_it_is_decided_and_again_when_the_socket_is_gone() -> None:
    connection, _, worker = connected()

    connection.close()
    told = (worker.ends, worker.gone)
    connection.connection_lost(None)

    assert told == (1, 0)
    assert (worker.ends, worker.gone) == (1, 1)


def test_over_tls_which_knows_no_half_close_it_is_closed_plainly() -> None:
    connection, transport, _ = connected()
    transport.is_tls = True

    assert connection.close()

    assert (transport.said_eof, transport.is_closed) == (False, True)


def test_one_that_is_refused_is_dropped_and_never_told() -> None:
    worker = Worker(Settings())
    worker.number = 0
    connection = Connection(worker)
    transport = Transport()

    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.data_received(b"hello")
    connection.connection_lost(None)

    assert transport.is_closed
    assert (worker.frames, worker.ends, worker.gone) == ([], 0, 0)


# ── whether something is under way ──────────────────────────────────────────────────────────────


def test_a_frame_in_part_is_work() -> None:
    connection, _, _ = connected()
    connection.data_received(frame(b"whole"))
    before = connection.has_work
    connection.data_received(frame(b"in part")[:3])

    assert (before, connection.has_work) == (False, True)


def test_an_answer_that_is_not_sent_and_a_pause_are_work() -> None:
    connection, transport, _ = connected()
    transport.waiting_bytes = 1
    unsent = connection.has_work
    transport.waiting_bytes = 0
    sent = connection.has_work
    connection.pause()

    assert (unsent, sent, connection.has_work) == (True, False, True)


def test_a_coroutine_is_work_until_it_is_through() -> None:
    async def talk() -> list[bool]:
        connection, _, worker = connected()
        work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker.on_frame = lambda frame: work
        connection.data_received(frame(b"x"))
        seen = [connection.has_work]
        work.set_result(None)
        await asyncio.sleep(0)
        return [*seen, connection.has_work]

    assert asyncio.run(talk()) == [True, False]


def test_a_frame_counts_from_its_first_byte_whatever_comes_after() -> None:
    connection, _, _ = connected()
    connection.data_received(frame(b"slow")[:1])
    began = connection.begun_at
    connection.data_received(frame(b"slow")[1:2])
    still = connection.begun_at
    connection.data_received(frame(b"slow")[2:] + frame(b"next")[:1])
    anew = connection.begun_at
    connection.data_received(frame(b"next")[1:])

    assert 0 < began == still < anew
    assert connection.begun_at == 0


def test_after_a_pause_a_frame_in_part_has_all_its_time_again() -> None:
    connection, _, _ = connected()
    connection.data_received(frame(b"slow")[:1])
    began, heard = connection.begun_at, connection.heard_at

    connection.pause()
    connection.resume()

    assert connection.begun_at > began
    assert connection.heard_at > heard


# ── turns, and callbacks at work ────────────────────────────────────────────────────────────────


def test_a_burst_of_frames_gives_others_their_turn_and_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport, worker = connected()
    now = [0.0]
    monkeypatch.setattr("engine.worker.connection.time.monotonic", lambda: now[0])

    def slow(body: bytes) -> None:
        now[0] += TURN_S / 20

    worker.on_frame = slow
    bodies = [frame(b"%d" % number) for number in range(100)]

    connection.data_received(b"".join(bodies))
    assert 16 <= len(worker.frames) <= 48
    assert not transport.is_reading
    turns = 0
    while worker.timers:
        worker.timers.pop().call()
        turns += 1

    assert worker.frames == bodies
    assert 2 <= turns <= 6
    assert transport.is_reading


def test_a_client_that_leaves_in_the_middle_of_its_burst_is_heard_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, _, worker = connected()
    monkeypatch.setattr("engine.worker.connection.TURN_S", 0.0)
    bodies = [frame(b"%d" % number) for number in range(40)]

    connection.data_received(b"".join(bodies))
    connection.connection_lost(None)
    assert (len(worker.frames), worker.gone) == (16, 0)
    while worker.timers:
        worker.timers.pop().call()

    assert worker.frames == bodies
    assert worker.gone == 1


def held(worker: Worker) -> list[asyncio.Future[None]]:
    """The callbacks of this worker are at work until their future is done."""
    works: list[asyncio.Future[None]] = []

    def begin(body: bytes) -> asyncio.Future[None]:
        works.append(asyncio.get_running_loop().create_future())
        return works[-1]

    worker.on_frame = begin
    return works


async def end(work: asyncio.Future[None], worker: Worker) -> None:
    work.set_result(None)
    await asyncio.sleep(0)
    while worker.timers:
        timer = worker.timers.pop(0)
        if not timer.is_cancelled and timer.delay_s == 0:
            timer.call()


def test_a_connection_has_no_more_callbacks_at_work_than_allowed_and_is_not_read_meanwhile() -> None:
    async def talk() -> None:
        connection, transport, worker = connected(connection_max_concurrency=3)
        works = held(worker)
        bodies = [frame(b"%d" % number) for number in range(8)]

        connection.data_received(b"".join(bodies))
        assert (len(works), transport.is_reading) == (3, False)
        await end(works[1], worker)
        assert (len(works), transport.is_reading) == (4, False)
        for number in (0, 2, 3, 4, 5):
            await end(works[number], worker)

        assert worker.frames == bodies
        assert (len(works), transport.is_reading) == (8, True)

    asyncio.run(talk())


def test_a_client_that_leaves_while_its_callbacks_are_at_work_is_heard_to_its_end() -> None:
    async def talk() -> None:
        connection, _, worker = connected(connection_max_concurrency=1)
        works = held(worker)

        connection.data_received(frame(b"one") + frame(b"two"))
        connection.connection_lost(None)
        assert (len(works), worker.gone) == (1, 0)
        await end(works[0], worker)

        assert (len(works), worker.gone) == (2, 0)
        await end(works[1], worker)
        assert worker.gone == 1

    asyncio.run(talk())


def test_callbacks_that_wait_for_the_close_of_a_client_that_is_gone_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        connection, _, worker = connected(connection_max_concurrency=2)
        works = held(worker)

        connection.data_received(frame(b"one") + frame(b"two") + frame(b"three"))
        connection.connection_lost(None)
        (timer,) = worker.timers
        assert (worker.gone, timer.delay_s) == (0, STUCK_S)
        timer.call()
        assert (worker.gone, worker.held_bytes) == (1, 0)
        for each in works:
            each.set_result(None)
        await asyncio.sleep(0)
        for later in worker.timers[1:]:
            later.call()

        assert worker.gone == 1
        assert worker.frames == [frame(b"one"), frame(b"two")]

    asyncio.run(talk())


def test_a_client_that_said_its_last_word_is_closed_once_all_its_frames_were_at_work() -> None:
    async def talk() -> None:
        connection, transport, worker = connected(connection_max_concurrency=1)
        works = held(worker)

        connection.data_received(frame(b"one") + frame(b"two"))
        assert connection.eof_received()
        await end(works[0], worker)
        assert (len(works), transport.is_closed) == (2, False)
        await end(works[1], worker)

        assert transport.is_closed

    asyncio.run(talk())


def test_a_connection_that_is_closed_hands_out_nothing_that_waited_for_callbacks() -> None:
    async def talk() -> None:
        connection, _, worker = connected(connection_max_concurrency=1)
        works = held(worker)

        connection.data_received(frame(b"one") + frame(b"two"))
        connection.close()
        await end(works[0], worker)

        assert worker.frames == [frame(b"one")]
        assert worker.held_bytes == 0

    asyncio.run(talk())


def test_a_pause_and_a_full_connection_bear_each_other() -> None:
    async def talk() -> None:
        connection, transport, worker = connected(connection_max_concurrency=1)
        works = held(worker)

        connection.data_received(frame(b"one") + frame(b"two") + frame(b"three"))
        connection.pause()
        await end(works[0], worker)
        assert len(works) == 1
        connection.resume()
        assert (len(works), transport.is_reading) == (2, False)
        await end(works[1], worker)
        await end(works[2], worker)

        assert (len(works), transport.is_reading) == (3, True)

    asyncio.run(talk())
