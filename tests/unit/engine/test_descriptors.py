"""engine/descriptors.py: the limit of open files fits what the server is to hold. Each test is a process of its own."""

import os
import resource
from collections.abc import Callable

import pytest

from engine.descriptors import SPARE, make_room


def in_a_child(work: Callable[[], bool]) -> bool:
    """Limits are the process's: what a test lowers it cannot raise again."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def held() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_soft_limit_is_raised_to_what_is_needed_and_no_further() -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 10, limits()[1]))
        return make_room(500) == 500 and limits()[0] == 500 + SPARE + held()

    assert in_a_child(work)


def test_where_the_hard_limit_forbids_it_the_answer_is_what_fits() -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 10, held() + 300))
        return make_room(500) == 300 - SPARE and limits() == (held() + 300, held() + 300)

    assert in_a_child(work)


@pytest.mark.parametrize("wanted", [1, 10])
def test_a_limit_that_is_high_enough_stays(wanted: int) -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 1000, held() + 1000))
        return make_room(wanted) == wanted and limits() == (held() + 1000, held() + 1000)

    assert in_a_child(work)
