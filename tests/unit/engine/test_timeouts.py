"""engine/worker/timeouts.py: who kept silent too long. The test is the clock."""

from typing import Any

import pytest

from engine.settings import Settings
from engine.worker.connection import Connection
from engine.worker.timeouts import Limits, disconnect_idle, drop_unreachable, limits_of
from tests.unit.engine.stand_ins import Transport, Worker

NEVER = Limits(0, 0, 0)


def connected() -> tuple[Connection, Transport]:
    connection = Connection(Worker(Settings(open_length_check=True, package_body_offset=4)))
    transport = Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (600, 60, 1)),
        ({"heartbeat_idle_time": 0, "frame_timeout_s": 0}, (0, 0, 0)),
        ({"frame_timeout_s": 0}, (600, 0, 30)),
        ({"heartbeat_idle_time": 60, "frame_timeout_s": 0}, (60, 0, 30)),
        ({"heartbeat_check_interval": 10, "frame_timeout_s": 0}, (20, 0, 10)),
        ({"heartbeat_idle_time": 60, "heartbeat_check_interval": 10, "frame_timeout_s": 0}, (60, 0, 10)),
        ({"heartbeat_idle_time": 0, "frame_timeout_s": 2}, (0, 2, 0.5)),
        ({"heartbeat_idle_time": 0, "frame_timeout_s": 30}, (0, 30, 1)),
        ({"heartbeat_idle_time": 60, "frame_timeout_s": 30}, (60, 30, 1)),
        ({"heartbeat_idle_time": 1, "frame_timeout_s": 30}, (1, 30, 0.5)),
        ({"heartbeat_idle_time": 0, "frame_timeout_s": 0.001}, (0, 0.001, 0.05)),
    ],
)
def test_one_look_comes_as_often_as_the_stricter_limit_needs(
    settings: dict[str, Any], expected: tuple[float, float, float]
) -> None:
    assert limits_of(Settings(**settings)) == expected


def test_a_client_that_kept_silent_is_disconnected_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connection, transport = connected()
    limits = NEVER._replace(idle_s=10)

    disconnect_idle([connection], limits, connection.heard_at + 9.9)
    before = transport.said_eof
    disconnect_idle([connection], limits, connection.heard_at + 10.1)
    disconnect_idle([connection], limits, connection.heard_at + 100)

    assert (before, transport.said_eof) == (False, True)
    (line,) = caplog.records
    assert (line.__dict__["peer"], line.__dict__["silent_s"]) == ("192.0.2.7:4711", 10.1)


def test_every_byte_breaks_the_silence() -> None:
    connection, transport = connected()
    connection.heard_at -= 100

    connection.data_received(b"\0")
    disconnect_idle([connection], NEVER._replace(idle_s=10), connection.heard_at + 5)

    assert not transport.said_eof


def test_a_frame_that_does_not_get_complete_ends_the_connection_however_it_trickles(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection, transport = connected()
    limits = NEVER._replace(frame_s=10)
    connection.data_received(b"\0")
    connection.begun_at -= 10.5

    connection.data_received(b"\0")
    disconnect_idle([connection], limits, connection.heard_at)

    assert transport.said_eof
    (line,) = caplog.records
    assert line.__dict__["peer"] == "192.0.2.7:4711"
    assert line.__dict__["waited_s"] >= 10.5


def test_a_frame_that_follows_another_in_the_same_packet_has_its_own_time() -> None:
    connection, transport = connected()
    connection.data_received(b"\0\0\0\1")
    connection.begun_at -= 10.5

    connection.data_received(b"x" + b"\0\0")
    disconnect_idle([connection], NEVER._replace(frame_s=10), connection.heard_at)

    assert not transport.said_eof


def test_between_frames_nobody_is_hurried() -> None:
    connection, transport = connected()
    connection.data_received(b"\0\0\0\1x")

    disconnect_idle([connection], NEVER._replace(frame_s=10), connection.heard_at + 1000)

    assert not transport.said_eof


@pytest.mark.parametrize("how", ["pause", "stop_reading", "eof_received"])
def test_silence_that_is_not_the_clients_own_is_not_held_against_it(how: str) -> None:
    connection, transport = connected()
    connection.data_received(b"\0")
    if how == "eof_received":
        connection._at_work = 1  # or it would be closed, having said all
    getattr(connection, how)()

    disconnect_idle([connection], Limits(10, 10, 1), connection.heard_at + 1000)

    assert (transport.said_eof, transport.is_closed) == (False, False)


def test_a_closed_client_that_takes_nothing_is_dropped_after_as_long_again() -> None:
    connection, transport = connected()
    transport.waiting_bytes = 100
    connection.heard_at -= 1000
    connection.close()

    drop_unreachable([connection], NEVER, connection.heard_at + 1000)
    drop_unreachable([connection], NEVER._replace(idle_s=10), connection.heard_at + 9)
    before = transport.is_closed
    drop_unreachable([connection], NEVER._replace(idle_s=10), connection.heard_at + 11)

    assert (before, transport.is_closed) == (False, True)
