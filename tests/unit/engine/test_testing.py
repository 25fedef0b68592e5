"""engine/testing: a program's callbacks without processes and sockets."""

import asyncio
import pickle
from typing import Any

import pytest

from engine import Server, Settings, UnknownWorker, UsageError
from engine.testing import InlineServer
from tests.unit.engine.inlines import Inline, error_of, inline, make_server, throw

__all__ = ["inline"]


# ── clients ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("piece_bytes", [1, 3, 100])
def test_frames_are_cut_as_in_production_however_they_arrive(inline: Inline, piece_bytes: int) -> None:
    frames: list[bytes] = []
    framing = {"open_length_check": True, "package_body_offset": 4}
    client = inline(framing, receive=lambda server, fd, reactor_id, frame: frames.append(frame)).connect()
    stream = b"\0\0\0\2hi\0\0\0\0\0\0\0\5there"

    for start in range(0, len(stream), piece_bytes):
        client.send(stream[start : start + piece_bytes])

    assert frames == [b"\0\0\0\2hi", b"\0\0\0\0", b"\0\0\0\5there"]


def test_a_length_that_cannot_be_closes_the_connection(inline: Inline) -> None:
    client = inline({"open_length_check": True, "package_body_offset": 4}).connect()

    client.send(b"GET / HTTP/1.1\r\n")

    assert client.closed
    with pytest.raises(ConnectionError):
        client.send(b"more")


def test_the_life_of_a_connection_is_told_in_order(inline: Inline) -> None:
    told: list[Any] = []
    server = inline(
        connect=lambda server, fd, reactor_id: told.append(("connect", fd, reactor_id)),
        receive=lambda server, fd, reactor_id, data: told.append((data, server.close(fd), server.send(fd, b"late"))),
        close=lambda server, fd, reactor_id: told.append(("close", fd, server.exists(fd))),
    )

    client = server.connect(worker_id=1)
    client.send(b"bye")

    assert told == [("connect", 2, 1), (b"bye", True, False), ("close", 2, False)]
    assert client.closed
    assert client.received == b""


@pytest.mark.parametrize("what", [None, 7, {"a": 1}, ["b"]])
def test_what_is_neither_bytes_nor_text_is_not_sent_and_the_error_says_what_it_is(inline: Inline, what: Any) -> None:
    client = inline(receive=lambda server, fd, reactor_id, data: server.send(fd, what)).connect()

    with pytest.raises(UsageError, match=rf"^send\(\) takes bytes or text, and was given {type(what).__name__}$"):
        client.send(b"x")


@pytest.mark.parametrize("what", [b"raw", bytearray(b"raw"), memoryview(b"raw"), "raw"])
def test_bytes_of_every_kind_and_text_are_sent(inline: Inline, what: Any) -> None:
    client = inline(receive=lambda server, fd, reactor_id, data: server.send(fd, what)).connect()

    client.send(b"x")

    assert client.received == b"raw"


def test_a_client_that_leaves_still_gets_the_answer_to_its_last_word(inline: Inline) -> None:
    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        server.send(fd, await server.task_wait(data))

    server = inline(receive=receive)
    client = server.connect()

    client.send(b"last word")
    client.close()
    assert not client.closed
    server.run_tasks()

    assert client.received == b"LAST WORD"
    assert client.closed


def test_a_client_gets_no_more_coroutines_than_may_be_at_work_and_the_rest_in_order(inline: Inline) -> None:
    begun = []

    async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        begun.append(data)
        await asyncio.sleep(1)
        server.send(fd, data)

    server = inline({"open_eof_split": True, "package_eof": b";", "connection_max_concurrency": 2}, receive=receive)
    client = server.connect()
    client.send(b"a;b;c;d;e;")
    client.close()

    seen = [len(begun)]
    for _ in range(3):
        server.advance(1)
        seen.append(len(begun))

    assert seen == [2, 4, 5, 5]
    assert client.received == b"a;b;c;d;e;"
    assert client.closed


def test_session_numbers_are_never_used_again_and_tell_their_worker(inline: Inline) -> None:
    server = inline()
    first, second = server.connect(0), server.connect(1)
    first.close()

    third = server.connect(0)

    assert (first.fd, second.fd, third.fd) == (1, 2, 3)
    with pytest.raises(UnknownWorker):
        server.connect(2)


def test_what_was_received_can_be_taken_piece_by_piece(inline: Inline) -> None:
    client = inline(receive=lambda server, fd, reactor_id, data: server.send(fd, data)).connect()

    client.send("你好")
    assert client.take() == "你好".encode()
    client.send(b"again")

    assert client.received == client.take() == b"again"


# ── the rest of a server ────────────────────────────────────────────────────────────────────────


def test_messages_reach_every_worker_but_the_sender(inline: Inline) -> None:
    seen: list[Any] = []

    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        for worker_id in (1, 2, 3):
            server.send_message({"to": worker_id}, worker_id)
        seen.extend(type(error_of(server.send_message, "x", wrong)) for wrong in (0, 4, -1))

    server = inline(
        receive=receive,
        pipe_message=lambda server, source, message: seen.append((server.worker_id, source, message)),
    )
    server.connect().send(b"go")

    assert seen[:3] == [UnknownWorker] * 3
    assert seen[3:] == [(1, 0, {"to": 1}), (2, 0, {"to": 2}), (3, 0, {"to": 3})]


def test_every_worker_starts_and_stops_in_order(inline: Inline) -> None:
    told: list[str] = []

    def tell(event: str) -> Any:
        return lambda server, *args: told.append(f"{event} {args[0]}" if args else event)

    events = ("manager_start", "worker_start", "start", "worker_exit", "worker_stop", "manager_stop", "shutdown")
    server = make_server(Settings(worker_num=1, task_worker_num=1), **{event: tell(event) for event in events})

    with InlineServer(server):
        assert told == ["manager_start", "worker_start 1", "worker_start 0", "start"]
        told.clear()

    assert told == ["worker_exit 0", "worker_stop 1", "worker_stop 0", "manager_stop", "shutdown"]


def test_worker_start_may_start_work_that_goes_on(inline: Inline) -> None:
    ticks: list[int] = []

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(1)

    def worker_start(server: Server, worker_id: int) -> None:
        if worker_id == 0:
            background.append(asyncio.get_running_loop().create_task(tick()))

    background: list[Any] = []
    server = inline(worker_start=worker_start)

    server.advance(9.5)

    assert len(ticks) == 10


def test_a_worker_that_cannot_start_says_why_and_leaves_the_server_as_it_was() -> None:
    server = make_server(worker_start=lambda server, worker_id: throw(OSError("no database")))

    with pytest.raises(OSError, match="no database"), InlineServer(server):
        pass

    assert type(server) is Server
    assert server.worker_id == -1


def test_a_callback_that_raises_is_logged_and_the_server_goes_on(
    inline: Inline, caplog: pytest.LogCaptureFixture
) -> None:
    client = inline(
        raise_errors=False, receive=lambda server, fd, reactor_id, data: server.send(fd, b"ok" if data != b"bad" else 7)
    ).connect()

    client.send(b"bad")
    client.send(b"good")

    assert "callback raised" in caplog.text
    assert client.received == b"ok"


def not_awaited(server: Server, fd: int, reactor_id: int, data: bytes) -> Any:
    server.after(1, lambda: throw(ValueError(data.decode())))


async def late(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    await asyncio.sleep(0.001)
    raise ValueError(data.decode())


def unpicklable(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    server.task(lambda: data)


@pytest.mark.parametrize(
    ("receive", "expected"),
    [
        (lambda server, fd, reactor_id, data: throw(ValueError("bad")), ValueError),
        (unpicklable, (AttributeError, TypeError, pickle.PicklingError)),
    ],
    ids=["raises", "cannot travel"],
)
def test_what_a_callback_raises_is_raised_where_the_client_sends(inline: Inline, receive: Any, expected: Any) -> None:
    client = inline(receive=receive).connect()

    with pytest.raises(expected):
        client.send(b"bad")
    assert not client.closed


@pytest.mark.parametrize("receive", [late, not_awaited])
def test_what_is_raised_later_is_raised_when_the_clock_moves(inline: Inline, receive: Any) -> None:
    server = inline(receive=receive)
    server.connect().send(b"bad")

    with pytest.raises(ValueError, match="bad"):
        server.advance(1)
    server.advance(1)


@pytest.mark.parametrize("event", ["start", "worker_stop", "manager_stop"])
def test_what_is_raised_at_the_begin_or_the_end_is_raised_there(event: str) -> None:
    server = make_server(**{event: lambda *args: throw(ValueError(event))})

    with pytest.raises(ValueError, match=event), InlineServer(server):
        pass


def test_an_error_of_the_test_itself_goes_before_those_at_the_end() -> None:
    server = make_server(worker_stop=lambda *args: throw(ValueError("at the end")))

    with pytest.raises(AssertionError, match="of the test"), InlineServer(server):
        raise AssertionError("of the test")


def test_the_end_of_a_process_of_the_program_by_an_error_is_raised() -> None:
    async def target(server: Server) -> None:
        raise ValueError("cannot connect")

    server = make_server()
    server.add_process("line", target)

    with pytest.raises(ValueError, match="cannot connect"), InlineServer(server):
        pass


def test_the_programs_own_object_is_the_server_also_where_it_is_no_argument() -> None:
    server = make_server(receive=lambda _server, fd, reactor_id, data: server.send(fd, str(server.worker_id)))

    with InlineServer(server) as inline:
        client = inline.connect()
        client.send(b"go")
        assert isinstance(server, Server)

    assert client.received == b"0"
    with pytest.raises(UsageError):
        server.send(1, b"x")
    with InlineServer(server):
        pass


@pytest.mark.parametrize("call", ["start", "reload", "shutdown"])
def test_what_needs_processes_says_so(inline: Inline, call: str) -> None:
    with pytest.raises(UsageError, match="InlineServer"):
        getattr(inline().server, call)()


def test_a_program_that_would_not_start_does_not_start_here() -> None:
    with pytest.raises(UsageError, match="receive"), InlineServer(Server("127.0.0.1", 0)):
        pass
    server = make_server()
    with InlineServer(server), pytest.raises(UsageError, match="already"), InlineServer(server):
        pass


def test_the_numbers_add_up(inline: Inline) -> None:
    seen: list[Any] = []
    server = inline(
        receive=lambda server, fd, reactor_id, data: server.task(data),
        task=lambda server, task_id, source, data: seen.append(server.stats()) or data.decode(),
        task_error=lambda server, task_id, error: None,
    )
    gone, client = server.connect(), server.connect()
    gone.close()
    for data in (b"fine", b"\xff", b"waits"):
        client.send(data)

    server.run_tasks(most=2)
    stats = server.stats()

    assert (stats.accept_count, stats.close_count, stats.connection_num) == (2, 1, 1)
    assert (stats.tasks_submitted, stats.tasks_done, stats.tasks_failed, stats.tasks_waiting) == (3, 1, 1, 1)
    assert (seen[0].tasks_running, seen[0].tasks_waiting, seen[0].idle_task_worker_num) == (1, 2, 1)
    assert seen[0].task_workers[0].state == "busy"
    assert seen[0].task_workers[0].task_id == 0


def test_each_event_worker_has_a_row_and_bytes_are_counted(inline: Inline) -> None:
    server = inline()
    first, second = server.connect(0), server.connect(1)
    first.send(b"ab")
    second.send(b"abc")
    second.send(b"d")

    server.run_tasks(most=1)
    stats = server.stats()

    assert (stats.bytes_in, stats.bytes_out) == (6, 2)
    rows = [
        (each.worker_id, each.connections, each.requests, each.bytes_in, each.bytes_out, each.tasks_waiting)
        for each in stats.event_workers
    ]
    assert rows == [(0, 1, 1, 2, 2, 0), (1, 1, 2, 4, 0, 2)]


def test_a_task_under_way_is_counted_with_the_event_worker_that_asked(inline: Inline) -> None:
    seen: list[Any] = []
    server = inline(task=lambda server, task_id, source, data: seen.append(server.stats()))
    server.connect(1).send(b"x")

    server.run_tasks()

    assert [each.tasks_under_way for each in seen[0].event_workers] == [0, 1]


def test_rates_and_the_oldest_waiting_task_follow_the_clock_of_the_test(inline: Inline) -> None:
    server = inline()
    client = server.connect()
    assert (server.stats().oldest_waiting_s, server.stats().accepts_per_s) == (None, 0)
    client.send(b"a")
    server.advance(2)
    client.send(b"b")
    server.advance(2)
    assert server.stats().oldest_waiting_s == 4

    server.run_tasks(most=1)
    stats = server.stats()
    assert (stats.oldest_waiting_s, stats.accepts_per_s, stats.tasks_done_per_s) == (2, 0.25, 0.25)

    server.advance(6)
    assert (server.stats().accepts_per_s, server.stats().tasks_done_per_s) == (0, 0.1)


def test_timers_end_with_the_server() -> None:
    ticks: list[int] = []
    server = make_server(worker_start=lambda server, worker_id: server.tick(1000, ticks.append, worker_id))

    with InlineServer(server) as inline:
        inline.advance(1)
        before = len(ticks)

    assert before > 0
    assert len(ticks) == before
