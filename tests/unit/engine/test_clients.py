"""engine/worker/clients.py: all connections of a worker together, on transports that only note."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.callbacks import Callbacks
from engine.events import Events
from engine.ipc.board import Board, Cell
from engine.ipc.message import Kind
from engine.settings import Settings
from engine.worker.clients import Clients
from engine.worker.connection import Connection
from tests.unit.engine.stand_ins import Transport


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


class House:
    """Clients of event worker 0, what their callbacks were told, and what was said to other workers."""

    def __init__(self, **settings: Any) -> None:
        without_timers = {"heartbeat_idle_time": 0, "frame_timeout_s": 0}
        self.settings = Settings(open_length_check=True, package_body_offset=4, **(without_timers | settings))
        self.told: list[tuple[Any, ...]] = []
        self.posted: list[tuple[int, Kind, int, Any]] = []
        self.on_frame: Callable[[int, bytes], Any] = lambda fd, body: None
        self.board = Board(2, 0)
        events = Events()
        events.register("connect", lambda server, fd, reactor: self.told.append(("connect", fd)))
        events.register("close", lambda server, fd, reactor: self.told.append(("close", fd, self.clients.get(fd))))
        events.register("receive", self._receive)
        self.clients = Clients(0, self.settings, self.board, Callbacks(self, events), self._post)
        self.transports: dict[int, Transport] = {}

    def _receive(self, server: object, fd: int, reactor_id: int, data: bytes) -> None:
        self.told.append(("receive", fd, data[4:]))
        self.on_frame(fd, data[4:])

    def _post(self, *what: Any) -> None:
        self.posted.append(what)

    def connect(self) -> Connection:
        connection = Connection(self.clients)
        transport = Transport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        self.transports[connection.fd] = transport
        return connection

    @property
    def frames(self) -> list[tuple[Any, ...]]:
        return [each[1:] for each in self.told if each[0] == "receive"]

    @property
    def inbox_packet(self) -> list[bool]:
        return [each.is_reading for each in self.transports.values()]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: call() if delay_s == 0 else None)
    return house


# ── pause and resume ────────────────────────────────────────────────────────────────────────────


def test_a_pause_holds_back_every_client(house: House) -> None:
    first, second = house.connect(), house.connect()

    house.clients.pause()
    first.data_received(frame(b"one"))
    second.data_received(frame(b"two"))

    assert house.frames == []
    assert house.inbox_packet == [False, False]


def test_who_connects_during_a_pause_waits_as_well(house: House) -> None:
    house.clients.pause()

    late = house.connect()
    late.data_received(frame(b"early words"))

    assert house.told == [("connect", late.fd)]
    assert house.inbox_packet == [False]
    house.clients.resume()
    assert house.frames == [(late.fd, b"early words")]
    assert house.inbox_packet == [True]


def test_after_a_pause_in_the_middle_of_a_burst_each_client_gets_its_turn_in_order(house: House) -> None:
    first, second = house.connect(), house.connect()
    house.on_frame = lambda fd, body: house.clients.pause()

    first.data_received(frame(b"a") + frame(b"b"))
    second.data_received(frame(b"c"))
    heard = [len(house.frames)]
    for _ in range(3):
        house.clients.resume()
        heard.append(len(house.frames))

    assert heard == [1, 2, 3, 3]
    assert house.frames == [(first.fd, b"a"), (first.fd, b"b"), (second.fd, b"c")]
    assert house.inbox_packet == [True, True]


def test_a_pause_by_what_was_held_back_holds_back_the_clients_that_follow(house: House) -> None:
    first, second = house.connect(), house.connect()
    house.clients.pause()
    first.data_received(frame(b"a"))
    second.data_received(frame(b"b"))
    house.on_frame = lambda fd, body: house.clients.pause()

    house.clients.resume()

    assert house.frames == [(first.fd, b"a")]
    assert house.inbox_packet == [False, False]


def test_a_callback_that_closes_the_others_while_all_are_resumed_does_no_harm(house: House) -> None:
    first, second = house.connect(), house.connect()
    house.clients.pause()
    first.data_received(frame(b"a"))
    second.data_received(frame(b"b"))
    house.on_frame = lambda fd, body: house.clients.close_all()

    house.clients.resume()

    assert house.frames == [(first.fd, b"a")]
    assert house.clients.numbers == []


def test_pause_and_resume_may_be_called_again(house: House) -> None:
    connection = house.connect()

    house.clients.resume()
    house.clients.pause()
    house.clients.pause()
    connection.data_received(b"\0")
    held = house.inbox_packet
    house.clients.resume()
    house.clients.resume()

    assert (held, house.inbox_packet) == ([False], [True])


# ── too many ────────────────────────────────────────────────────────────────────────────────────


def test_one_more_than_max_conn_is_closed_at_once_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    house = House(max_conn=2)
    house.connect(), house.connect()

    surplus = house.connect()

    assert surplus.fd == 0
    assert house.transports[0].is_closed
    assert len(house.clients) == 2
    assert [each for each in house.told if each[0] == "connect"] == [("connect", 1), ("connect", 5)]
    (line,) = caplog.records
    assert (line.__dict__["peer"], line.__dict__["limit"]) == ("192.0.2.7:4711", 2)


def test_connections_of_other_workers_count(caplog: pytest.LogCaptureFixture) -> None:
    house = House(max_conn=2)
    house.board.add(1, Cell.ACCEPTED, 5)
    house.board.add(1, Cell.CLOSED, 4)

    assert house.connect().fd != 0
    assert house.connect().fd == 0


def test_where_one_left_another_may_come() -> None:
    house = House(max_conn=1)
    house.connect().connection_lost(None)

    assert house.connect().fd != 0


# ── silence ─────────────────────────────────────────────────────────────────────────────────────


def test_one_timer_looks_after_all_clients_as_long_as_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(heartbeat_idle_time=10)
    timers: list[Callable[[], None]] = []
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: timers.append(call))
    first, second = house.connect(), house.connect()
    first.heard_at -= 11

    timers[0]()

    assert house.clients.numbers == [second.fd]
    assert len(timers) == 2 + 1, "one timer at a time, and the one that ends the goodbye of the first"
    first.connection_lost(None)
    second.connection_lost(None)
    timers[-1]()
    assert len(timers) == 3
    house.connect()
    assert len(timers) == 4


def test_without_limits_there_is_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: pytest.fail("a timer"))

    house.connect().data_received(frame(b"hello"))


# ── leaving ─────────────────────────────────────────────────────────────────────────────────────


def test_only_clients_with_nothing_under_way_are_closed_as_idle(house: House) -> None:
    quiet, begun, unsent = house.connect(), house.connect(), house.connect()
    begun.data_received(frame(b"in part")[:5])
    house.transports[unsent.fd].waiting_bytes = 1

    assert house.clients.close_idle(0) == 2

    assert house.clients.numbers == [begun.fd, unsent.fd]
    assert house.transports[quiet.fd].said_eof


def test_a_client_that_spoke_a_moment_ago_is_not_idle(house: House) -> None:
    connection = house.connect()
    connection.data_received(frame(b"hello"))

    assert house.clients.close_idle(60) == 1
    connection.heard_at -= 61
    assert house.clients.close_idle(60) == 0


def test_during_a_pause_nobody_is_idle(house: House) -> None:
    house.connect()
    house.clients.pause()

    assert house.clients.close_idle(0) == 1


def test_one_that_was_closed_is_not_there_any_more_but_counts_until_its_socket_is_gone(house: House) -> None:
    connection = house.connect()
    fd = connection.fd

    assert house.clients.close(fd)

    assert (house.clients.get(fd), house.clients.numbers, fd in house.board.connections) == (None, [], False)
    assert (house.clients.send(fd, b"x"), house.clients.close(fd)) == (False, False)
    assert (len(house.clients), house.board.get(0, Cell.CLOSED)) == (1, 0)
    assert house.told == [("connect", fd)]
    connection.connection_lost(None)
    assert (len(house.clients), house.board.get(0, Cell.CLOSED)) == (0, 1)
    assert house.told == [("connect", fd), ("close", fd, None)]


def test_a_client_may_be_closed_by_the_callback_that_hears_of_it(house: House) -> None:
    events = Events()
    events.register("connect", lambda server, fd, reactor: house.clients.close(fd))
    house.clients._callbacks = Callbacks(house, events)

    connection = house.connect()

    assert house.clients.numbers == []
    assert house.transports[connection.fd].said_eof


# ── memory ──────────────────────────────────────────────────────────────────────────────────────


def begun(house: House, size: int) -> Connection:
    """A client in the middle of a frame, with so many bytes here."""
    connection = house.connect()
    connection.data_received((100_000).to_bytes(4, "big") + bytes(size - 4))
    return connection


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(receive_buffer_max_bytes=150_000, package_max_length=150_000)
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: call() if delay_s == 0 else None)
    return house


def test_half_frames_of_many_clients_are_kept_within_the_budget(small: House, caplog: pytest.LogCaptureFixture) -> None:
    connections = [begun(small, 40_000) for _ in range(10)]
    for number, each in enumerate(connections):
        each.begun_at = number + 1.0

    begun(small, 40_000)

    assert sum(each.held_bytes for each in connections) <= 150_000
    assert small.clients._held_bytes <= 150_000
    assert len(caplog.records) <= 20
    assert all(each.getMessage().startswith("connection closed, receive_buffer_max_bytes") for each in caplog.records)


def test_beyond_the_budget_the_frame_that_waits_longest_goes_and_not_a_small_one(small: House) -> None:
    tiny, oldest, younger, newest = (begun(small, size) for size in (10, 60_000, 60_000, 20_000))
    for number, each in enumerate((tiny, oldest, younger, newest)):
        each.begun_at = number + 1.0

    newest.data_received(bytes(30_000))

    assert small.clients.get(oldest.fd) is None
    assert [small.clients.get(each.fd) for each in (tiny, younger, newest)] == [tiny, younger, newest]
    assert small.clients._held_bytes == 10 + 60_000 + 50_000


def test_a_frame_as_large_as_the_budget_arrives(small: House) -> None:
    connection = small.connect()
    body = bytes(149_000)
    whole = frame(body)

    for at in range(0, len(whole), 1000):
        connection.data_received(whole[at : at + 1000])

    assert small.frames == [(connection.fd, body)]
    assert (connection.held_bytes, small.clients._held_bytes) == (0, 0)


def test_what_a_connection_kept_is_given_back_when_it_ends(small: House) -> None:
    first, second = begun(small, 5000), begun(small, 6000)

    first.close()
    second.connection_lost(None)

    assert small.clients._held_bytes == 0


def test_what_we_hold_back_ourselves_closes_nobody_and_once_there_is_much_of_it_no_more_is_read(small: House) -> None:
    connections = [small.connect() for _ in range(4)]
    small.clients.pause()

    connections[0].data_received(frame(bytes(40_000)))
    connections[1].data_received(frame(bytes(40_000)))

    assert small.inbox_packet == [False] * 4
    assert [small.clients.get(each.fd) for each in connections] == connections
    small.clients.resume()
    assert len(small.frames) == 2
    assert small.inbox_packet == [True] * 4


def test_a_resume_of_many_gives_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    turns: list[Callable[[], None]] = []
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: turns.append(call))
    clock = iter(range(1000))
    connections = [house.connect() for _ in range(3)]
    house.clients.pause()
    for each in connections:
        each.data_received(frame(b"x"))
    monkeypatch.setattr("engine.worker.clients.time.monotonic", lambda: float(next(clock)))

    house.clients.resume()
    assert len(house.frames) == 1
    turns.pop()()
    turns.pop()()

    assert [fd for fd, _ in house.frames] == [each.fd for each in connections]
    assert turns == []


def test_a_pause_in_the_middle_of_a_resume_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    turns: list[Callable[[], None]] = []
    monkeypatch.setattr(house.clients, "later", lambda delay_s, call: turns.append(call))
    monkeypatch.setattr("engine.worker.clients.TURN_S", -1.0)
    connections = [house.connect() for _ in range(3)]
    house.clients.pause()
    for each in connections:
        each.data_received(frame(b"x"))

    house.clients.resume()
    house.clients.pause()
    for turn in turns:
        turn()
    assert len(house.frames) == 1
    house.clients.resume()
    while turns:
        turns.pop()()

    assert [fd for fd, _ in house.frames] == [each.fd for each in connections]


# ── what is counted ─────────────────────────────────────────────────────────────────────────────


def test_requests_and_bytes_of_all_clients_are_counted_in_the_row_of_their_worker() -> None:
    house = House()
    for body in (b"one", b"four"):
        connection = house.connect()
        connection.data_received(2 * frame(body) + b"\0")
        connection.send(body)

    counted = [house.board.get(0, cell) for cell in (Cell.REQUESTS, Cell.BYTES_IN, Cell.BYTES_OUT)]
    assert counted == [4, 2 * 7 + 1 + 2 * 8 + 1, 7]
    assert [house.board.get(place, Cell.BYTES_IN) for place in (1, 2, 3)] == [0, 0, 0]
