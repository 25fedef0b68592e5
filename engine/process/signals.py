"""Signals as something to wait for: a handler does nothing, the number arrives in a mailbox."""

import select
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType


class Mailbox:
    """The signals that arrived, in order; one that arrives twice before it is read may count once."""

    def __init__(self, wake_up: socket.socket) -> None:
        self._wake_up = wake_up
        self._poll = select.poll()
        self.watch(wake_up.fileno())

    def watch(self, descriptor: int, events: int = select.POLLIN) -> None:
        """Let `wait` return when this descriptor is ready, too."""
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def wait(self, timeout_s: float | None) -> list[int]:
        """The signals that arrived, at once or within `timeout_s`; empty when a watched descriptor is ready."""
        self._poll.poll(None if timeout_s is None else max(0, round(timeout_s * 1000)))
        return self.read()

    def read(self) -> list[int]:
        """The signals that arrived until now."""
        try:
            return list(self._wake_up.recv(4096))
        except BlockingIOError:
            return []


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The number is in the wake-up socket already."""


@contextmanager
def listening(numbers: Iterable[int]) -> Iterator[Mailbox]:
    """Collect these signals instead of dying from them. Main thread only; the old handlers come back at the end."""
    inside, outside = socket.socketpair()
    inside.setblocking(False)
    outside.setblocking(False)
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
    previous = signal.set_wakeup_fd(inside.fileno(), warn_on_full_buffer=False)
    try:
        for number in numbers:
            before[number] = signal.signal(number, _do_nothing)
        yield Mailbox(outside)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(previous)
        inside.close()
        outside.close()


@contextmanager
def blocked() -> Iterator[None]:
    """Hold every signal back, so that none arrives between a fork and the child's own handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reset_in_child() -> None:
    """Undo what the parent set up; call right after a fork, while signals are still blocked."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C reaches the whole terminal group; the manager alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
