"""engine/process/signals.py: a signal is a number in a mailbox, and nothing else happens. Nor in what is forked."""

import os
import select
import signal
import time
from collections.abc import Callable

import pytest

from engine.process.signals import blocked, listening, reset_in_child

USED = (signal.SIGUSR1, signal.SIGUSR2)


def send(*numbers: int) -> None:
    for number in numbers:
        signal.raise_signal(number)  # to this very thread; os.kill would take one that does not block it


def test_a_signal_arrives_in_the_mailbox() -> None:
    with listening(USED) as mailbox:
        send(signal.SIGUSR1)

        assert mailbox.wait(5) == [signal.SIGUSR1]
        assert mailbox.read() == []


def test_signals_arrive_in_their_order() -> None:
    with listening(USED) as mailbox:
        send(signal.SIGUSR2, signal.SIGUSR1)

        assert mailbox.wait(5) == [signal.SIGUSR2, signal.SIGUSR1]


def test_waiting_ends_when_there_is_nothing() -> None:
    with listening(USED) as mailbox:
        began = time.monotonic()

        assert mailbox.wait(0.05) == []
        assert time.monotonic() - began < 5


def test_waiting_ends_when_a_watched_descriptor_is_ready() -> None:
    read_end, write_end = os.pipe()
    with listening(USED) as mailbox:
        mailbox.watch(read_end, select.POLLIN)
        os.write(write_end, b"x")

        assert mailbox.wait(60) == []

        mailbox.forget(read_end)
        assert mailbox.wait(0.01) == []
    os.close(read_end)
    os.close(write_end)


def test_a_flood_of_signals_neither_blocks_nor_drowns_the_next_one() -> None:
    with listening(USED) as mailbox:
        for _ in range(5000):
            send(signal.SIGUSR1)
        send(signal.SIGUSR2)

        assert mailbox.wait(5)[-1] == signal.SIGUSR2


def test_more_signals_than_fit_neither_block_nor_raise() -> None:
    with listening(USED) as mailbox:
        for _ in range(70_000):
            send(signal.SIGUSR1)

        assert set(mailbox.wait(5)) == {signal.SIGUSR1}


def test_the_old_handlers_come_back() -> None:
    def old(number: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGUSR1, old)
    try:
        with listening(USED):
            assert signal.getsignal(signal.SIGUSR1) is not old

        assert signal.getsignal(signal.SIGUSR1) is old
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_old_handlers_come_back_after_an_error_too() -> None:
    before = signal.getsignal(signal.SIGUSR1)

    with pytest.raises(RuntimeError), listening(USED):
        raise RuntimeError

    assert signal.getsignal(signal.SIGUSR1) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_blocked_signal_arrives_once_the_block_ends() -> None:
    with listening(USED) as mailbox:
        with blocked():
            send(signal.SIGUSR1)
            assert mailbox.wait(0.01) == []

        assert mailbox.wait(5) == [signal.SIGUSR1]


def test_blocking_keeps_what_was_blocked_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        with blocked():
            pass

        assert signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_child_hears_nothing_of_its_parents_mailbox() -> None:
    with listening([signal.SIGTERM, *USED]) as mailbox:
        pid = os.fork()
        if pid == 0:
            reset_in_child()
            is_fresh = (
                signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
                and {signal.getsignal(each) for each in (signal.SIGINT, signal.SIGHUP, *USED)} == {signal.SIG_IGN}
                and signal.set_wakeup_fd(-1) == -1
            )
            os._exit(0 if is_fresh else 1)
        _, status = os.waitpid(pid, 0)

        assert status == 0
        assert mailbox.read() == []


def in_a_child(holds: Callable[[], bool]) -> bool:
    """Whether this holds in a child that anybody forks."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if holds() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_signal_is_heard_while_another_wake_up_descriptor_is_set() -> None:
    with listening(USED) as mailbox:
        signal.set_wakeup_fd(-1)  # as a loop does that ends

        send(signal.SIGUSR1)

        assert mailbox.wait(0.01) == [signal.SIGUSR1]


def test_waiting_sets_the_wake_up_descriptor_anew() -> None:
    with listening(USED) as mailbox:
        ours = signal.set_wakeup_fd(-1)

        mailbox.wait(0)

        assert signal.set_wakeup_fd(-1) == ours


def test_a_signal_that_was_read_without_waiting_is_not_heard_twice() -> None:
    with listening(USED) as mailbox:
        send(signal.SIGUSR1)

        assert mailbox.read() == [signal.SIGUSR1]
        assert mailbox.wait(0.01) == []


def test_a_child_that_anybody_forks_has_the_handlers_from_before_and_no_wake_up_descriptor() -> None:
    before = {each: signal.getsignal(each) for each in USED}

    with listening(USED):

        def holds() -> bool:
            return {each: signal.getsignal(each) for each in USED} == before and signal.set_wakeup_fd(-1) == -1

        assert in_a_child(holds)
        assert signal.getsignal(signal.SIGUSR1) != before[signal.SIGUSR1]


def test_a_child_keeps_a_handler_that_the_program_put_in_our_place() -> None:
    with listening(USED):
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)

        assert in_a_child(lambda: signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN)


def test_a_child_takes_signals_again_and_so_does_its_parent() -> None:
    def is_open() -> bool:
        return not {signal.SIGUSR1, signal.SIGUSR2} & signal.pthread_sigmask(signal.SIG_BLOCK, [])

    with listening(USED):
        assert in_a_child(is_open)
        assert is_open()


def test_a_child_of_a_program_that_listens_to_nothing_keeps_its_wake_up_descriptor() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end)
    try:
        assert in_a_child(lambda: signal.set_wakeup_fd(-1) == write_end)
    finally:
        signal.set_wakeup_fd(before)
        os.close(read_end)
        os.close(write_end)
