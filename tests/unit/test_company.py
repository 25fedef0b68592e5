"""Which tests of several processes run beside each other, and which do not."""

import fcntl
import os
from pathlib import Path
from threading import Thread

import pytest

from tests.company import Company
from tests.waiting import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def begin(company: Company, *, alone: bool) -> Thread:
    """A test of another process, which begins as soon as it may."""
    thread = Thread(target=company.enter, kwargs={"alone": alone}, daemon=True)
    thread.start()
    return thread


def gate_is_closed(folder: Path) -> bool:
    descriptor = os.open(folder / "gate", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_ordinary_tests_run_beside_each_other(folder):
    one, other = Company(folder), Company(folder)

    one.enter(alone=False)
    other.enter(alone=False)


def test_who_is_to_be_alone_waits_for_all_that_run_and_nobody_begins_meanwhile(folder):
    one, other, third = Company(folder), Company(folder), Company(folder)
    one.enter(alone=False)

    waits = begin(other, alone=True)
    until(lambda: gate_is_closed(folder), what="it waits")
    late = begin(third, alone=False)
    assert waits.is_alive()
    one.leave(next_alone=False)
    waits.join(10)

    assert not waits.is_alive()
    assert late.is_alive()
    other.leave(next_alone=False)
    late.join(10)
    assert not late.is_alive()


def test_nobody_comes_in_between_two_that_are_to_be_alone(folder):
    one, other = Company(folder), Company(folder)
    one.enter(alone=True)
    waits = begin(other, alone=False)
    until(lambda: gate_is_closed(folder), what="it waits")

    one.leave(next_alone=True)
    one.enter(alone=True)
    assert waits.is_alive()

    one.leave(next_alone=False)
    waits.join(10)
    assert not waits.is_alive()
