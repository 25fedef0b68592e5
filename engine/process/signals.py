"""Turns signals into something to wait for: a handler only notes the number and wakes whoever waits."""

import os
import select
import signal
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from engine.process.forks import Handler, forget_handler, note_handler

_CAPACITY = 65_536
"""Bytes that a pipe holds; pipe(7)."""


class Mailbox:
    """The signals that arrived, in order; one that arrives twice before it is read may count once.

    The handler notes them, and not the wake-up descriptor: a loop that a callback runs, by asyncio.run or uvloop.run,
    puts its own in its place, and need not put ours back.
    """

    def __init__(self, outside: int, inside: int) -> None:
        """`outside`: the reading end of a pipe, `inside`: the writing end. Neither blocks."""
        self._outside = outside
        self._inside = inside
        self._arrived: deque[int] = deque()
        self._poll = select.poll()
        self.watch(outside)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal and wake whoever waits: the handler of every signal that is listened to."""
        if number not in self._arrived:
            self._arrived.append(number)
        with suppress(BlockingIOError):  # it is full: whoever waits is awake
            os.write(self._inside, b"\0")

    def watch(self, descriptor: int, events: int = select.POLLIN) -> None:
        """Let `wait` return when this descriptor is ready, too."""
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def wait(self, timeout_s: float | None) -> list[int]:
        """Wait until a signal arrives, a watched descriptor is ready, or `timeout_s` are over; return the signals that
        arrived. None may have arrived, and it may return early. Main thread only."""
        # With another wake-up descriptor, a signal between here and the kernel would be noted, and end no wait.
        signal.set_wakeup_fd(self._inside, warn_on_full_buffer=False)
        ready = self._poll.poll(None if timeout_s is None else max(0, round(timeout_s * 1000)))
        if any(descriptor == self._outside for descriptor, _ in ready):
            with suppress(BlockingIOError):
                os.read(self._outside, _CAPACITY)  # before the numbers: what comes in between wakes the next wait
        return self.read()

    def read(self) -> list[int]:
        """Return the signals that arrived until now. From any thread."""
        numbers: list[int] = []
        while self._arrived:
            with suppress(IndexError):  # another thread took it
                numbers.append(self._arrived.popleft())
        return numbers


@contextmanager
def listening(numbers: Iterable[int]) -> Iterator[Mailbox]:
    """Collect these signals instead of dying from them. Main thread only; the old handlers come back at the end."""
    outside, inside = os.pipe()
    os.set_blocking(inside, False)
    os.set_blocking(outside, False)
    mailbox = Mailbox(outside, inside)
    before: dict[int, Handler] = {}
    previous = signal.set_wakeup_fd(inside, warn_on_full_buffer=False)
    try:
        for number in numbers:
            before[number] = signal.signal(number, mailbox.note)
            note_handler(number, before[number])
        yield mailbox
    finally:
        for number, handler in before.items():
            forget_handler(number)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(previous)
        os.close(inside)
        os.close(outside)


def listen_in_loop(
    loop: AbstractEventLoop, number: int, call: Callable[[], object], note: Callable[[], object] | None = None
) -> None:
    """Let the loop make this call when the signal arrives; `note` is called at once, even while the loop is blocked.

    For as long as the process lives. Main thread only.
    """
    before = signal.getsignal(number)
    loop.add_signal_handler(number, call)
    if note is not None:
        signal.signal(number, lambda number, frame: note())  # the loop hears of it by its wake-up descriptor
    note_handler(number, before)


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
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C and the end of a terminal reach its whole group, and a reload may be asked of the whole group, too: the
    # manager alone decides what they mean. Left at their defaults they would kill every child at once.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
