"""A transport and a worker for connections under test: they note what is done to them, and answer as they are told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from engine.settings import Settings
from engine.worker.connection import Connection


class Transport:
    """What asyncio gives a protocol."""

    def __init__(self) -> None:
        self.written = b""
        self.waiting_bytes = 0
        self.is_closed = False
        self.is_tls = False
        self.said_eof = False
        self.is_reading = True
        self.read_ahead_bytes: int | None = None

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.7", 4711)}.get(name)

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def set_write_buffer_limits(self, high: int) -> None: ...

    def set_read_buffer_limits(self, high: int | None) -> None:
        self.read_ahead_bytes = high

    def can_write_eof(self) -> bool:
        return not self.is_tls

    def write_eof(self) -> None:
        assert not self.is_tls
        self.said_eof = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close


@dataclass
class Timer:
    """The test is the clock: it calls."""

    delay_s: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Worker:
    """The owner: keeps the frames and answers as it is told."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.number = 7
        """What a connection gets at its admission."""
        self.frames: list[bytes] = []
        self.timers: list[Timer] = []
        self.ends = 0
        self.gone = 0
        self.held_bytes = 0
        self.came_bytes = self.went_bytes = 0
        self.on_frame: Callable[[bytes], Awaitable[Any] | None] = lambda frame: None

    def admit(self, connection: Connection) -> int:
        return self.number

    def opened(self, connection: Connection) -> None: ...

    def received(self, fd: int, frame: bytes) -> Awaitable[Any] | None:
        self.frames.append(frame)
        return self.on_frame(frame)

    def count_in(self, count: int) -> None:
        self.came_bytes += count

    def count_out(self, count: int) -> None:
        self.went_bytes += count

    def later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, call))
        return self.timers[-1]

    def ended(self, connection: Connection) -> None:
        self.ends += 1

    def closed(self, connection: Connection) -> None:
        self.gone += 1

    def holds(self, more_bytes: int) -> None:
        self.held_bytes += more_bytes
