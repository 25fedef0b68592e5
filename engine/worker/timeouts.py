"""Disconnects clients that are idle too long, or do not complete a frame in time."""

from collections.abc import Iterable
from typing import NamedTuple

from engine.log_lines import Few, get_logger
from engine.settings import Settings
from engine.worker.connection import Connection

few = Few(get_logger(__name__))

_SHORTEST_LOOK_S = 0.05
_LONGEST_LOOK_S = 1.0
_USUAL_IDLE_S = 600.0
_LONGEST_IDLE_LOOK_S = 30.0
_LOOKS_A_FRAME = 4
"""A slow frame is ended at most a quarter of frame_timeout_s late."""


class Limits(NamedTuple):
    """How long clients may be idle and a frame incomplete, and how often to look: seconds, 0 is no limit, and never."""

    idle_s: float
    frame_s: float
    look_s: float


def limits_of(settings: Settings) -> Limits:
    """Return the limits of these settings. One look serves both, so it comes as often as the stricter one needs.

    A look over 10,000 connections takes 1 ms. A timer for each connection would be set and cancelled at every frame
    that comes in two pieces, in the path of every byte.
    """
    idle_s = settings.heartbeat_idle_time
    if idle_s is None:
        idle_s = 2 * settings.heartbeat_check_interval or _USUAL_IDLE_S
    frame_s = settings.frame_timeout_s
    looks = []
    if idle_s:
        looks.append(settings.heartbeat_check_interval or min(idle_s / 2, _LONGEST_IDLE_LOOK_S))
    if frame_s:
        looks.append(min(_LONGEST_LOOK_S, frame_s / _LOOKS_A_FRAME))
    return Limits(idle_s, frame_s, max(_SHORTEST_LOOK_S, min(looks)) if looks else 0)


def disconnect_idle(connections: Iterable[Connection], limits: Limits, now: float) -> None:
    """Close connections over a limit at `now` (time.monotonic), each with a log line. What waits is still sent."""
    heard_before = now - limits.idle_s if limits.idle_s else 0.0
    begun_before = now - limits.frame_s if limits.frame_s else 0.0
    for connection in connections:
        active_at = max(connection.heard_at, connection.sent_at)
        if active_at < heard_before and connection.is_listening:
            silent_s = round(now - active_at, 3)
            connection.close()
            few.info("idle client disconnected", extra={"peer": connection.address, "silent_s": silent_s})
        elif 0 < connection.begun_at < begun_before and connection.is_listening:
            waited_s = round(now - connection.begun_at, 3)
            connection.close()
            few.warning(
                "connection closed, frame was not complete in time",
                extra={"peer": connection.address, "waited_s": waited_s},
            )


def drop_unreachable(ending: Iterable[Connection], limits: Limits, now: float) -> None:
    """Drop connections that were closed as long ago as a client may be idle, and have not read yet what was sent."""
    for connection in ending:
        if limits.idle_s and connection.heard_at < now - limits.idle_s:
            connection.abort()
