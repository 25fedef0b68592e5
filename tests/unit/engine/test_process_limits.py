"""engine/process/limits.py: the limit of open files fits what the server is to hold, each test in its own process."""

import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import StartError
from engine.process.limits import SPARE, have_a_core_each, make_room


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
        return make_room(20, 500, 5) == 500 and limits()[0] == 520 + SPARE + held()

    assert in_a_child(work)


def test_where_the_hard_limit_forbids_it_the_answer_is_what_fits() -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 10, held() + 300))
        return make_room(20, 500, 5) == 280 - SPARE and limits() == (held() + 300, held() + 300)

    assert in_a_child(work)


@pytest.mark.parametrize("wanted", [1, 10])
def test_a_limit_that_is_high_enough_stays(wanted: int) -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 1000, held() + 1000))
        return make_room(0, wanted, 5) == wanted and limits() == (held() + 1000, held() + 1000)

    assert in_a_child(work)


def test_what_starting_children_need_is_room_enough_for_the_manager() -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held() + 10, held() + 500))
        return make_room(20, 10, 300) == 10 and limits()[0] == 320 + SPARE + held()

    assert in_a_child(work)


def test_a_hard_limit_that_is_too_low_to_start_is_refused_with_the_number() -> None:
    def work() -> bool:
        needed = held() + SPARE + 200 + 50
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed - 1, needed - 1))
        with pytest.raises(StartError, match=re.escape(f"need {needed} open files")) as refused:
            make_room(200, 10, 50)
        return f"(ulimit -Hn) is {needed - 1}" in str(refused.value)

    assert in_a_child(work)


def test_a_hard_limit_that_just_suffices_is_enough() -> None:
    def work() -> bool:
        needed = held() + SPARE + 200 + 50
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))
        return make_room(200, 10, 50) == 10

    assert in_a_child(work)


@pytest.mark.parametrize(
    ("outermost", "own", "processes", "enough"),
    [
        (None, None, 100, True),
        ("max 100000", None, 100, True),
        ("400000 100000", None, 4, True),
        ("400000 100000", None, 5, False),
        ("max 100000", "150000 100000", 2, False),
        (None, "100000 50000", 2, True),
    ],
)
def test_a_quota_of_cpu_time_must_do_for_all_processes(
    tmp_path: Path, outermost: str | None, own: str | None, processes: int, enough: bool
) -> None:
    root, mine, list_of_groups = tmp_path / "cgroup", tmp_path / "cgroup" / "system.slice" / "it", tmp_path / "groups"
    mine.mkdir(parents=True)
    list_of_groups.write_text("4:memory:/elsewhere\n0::/system.slice/it\n")
    for place, quota in ((root, outermost), (mine, own)):
        if quota is not None:
            (place / "cpu.max").write_text(f"{quota}\n")

    assert have_a_core_each(processes, root, list_of_groups) is enough
