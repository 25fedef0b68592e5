"""Signals as something to wait for: a handler does nothing, the number arrives in a mailbox."""

import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

_CAPACITY = 65_536
"""Bytes that a pipe holds; pipe(7)."""


class Mailbox:
    """The signals that arrived, in order; one that arrives twice before it is read may count once."""

    def __init__(self, wake_up: int) -> None:
        """`wake_up`: the reading end, which does not block."""
        self._wake_up = wake_up
        self._poll = select.poll()
        self.watch(wake_up)

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
            return list(os.read(self._wake_up, _CAPACITY))
        except BlockingIOError:
            return []


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The number is in the wake-up pipe already."""


@contextmanager
def listening(numbers: Iterable[int]) -> Iterator[Mailbox]:
    """Collect these signals instead of dying from them. Main thread only; the old handlers come back at the end."""
    # A pipe keeps 65,536 numbers that nobody has read yet, a socket pair 278: after a task that took long with a
    # hundred alarms a second, SIGTERM would not be among them.
    outside, inside = os.pipe()
    os.set_blocking(inside, False)
    os.set_blocking(outside, False)
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
    previous = signal.set_wakeup_fd(inside, warn_on_full_buffer=False)
    try:
        for number in numbers:
            before[number] = signal.signal(number, _do_nothing)
        yield Mailbox(outside)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(previous)
        os.close(inside)
        os.close(outside)


@contextmanager
def blocked() -> Iterator[None]:
    """Hold every signal back, so that none arrives between a fork and the child's own handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reset_in_child() -> None:
    """Undo what the parent set up; call right after a fork, while signals are still blocked.

    A program that wants Ctrl-C, SIGUSR1 or SIGUSR2 in its children sets handlers there.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C reaches the whole terminal group, and a reload may be asked of the whole group, too: the manager alone
    # decides what they mean. Left at their defaults they would kill every child at once.
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
