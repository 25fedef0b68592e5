"""engine/process/: a manager and its children, real processes that start slowly, break, hang and leave as told."""

import signal
from pathlib import Path

import pytest

from engine.process.child import START_FAILED
from tests.integration.engine.managers import ALL, EVENTS, TASKS, running_manager
from tests.integration.engine.servers import wait_until


def test_a_reload_replaces_every_child_and_the_next_one_goes_back_to_the_first_seat(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        before = {slot: manager.current(slot) for slot in ALL}
        manager.reload()
        between = {slot: manager.current(slot) for slot in ALL}
        manager.reload()

        for slot in ALL:
            assert (before[slot][0], between[slot][0], manager.current(slot)[0]) == (0, 1, 0)
            assert len({pid for _, pid in manager.lives(slot)}) == 3


def test_sigusr2_leaves_the_children_of_other_roles_alone(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        manager.reload(signal.SIGUSR2)

        assert [len(manager.lives(slot)) for slot in (*TASKS, *EVENTS)] == [2, 2, 1, 1]


def test_an_old_child_serves_until_its_successor_is_ready(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        old = manager.current(2)
        manager.order("slow", 2)
        manager.send_signal(signal.SIGUSR1)
        wait_until(lambda: len(manager.lives(2)) == 2, "the successor is started")
        told = manager.notes("told")
        manager.countermand("slow", 2)
        manager.wait_for_notes("after reload")
        manager.wait_for_notes("told", len(ALL))  # a child's own words, which come when it gets to them

        assert told == []
        first, second = (event for event in manager.events("current", "told")[len(ALL) :] if event[1] == 2)
        assert first[0] == "current"
        assert second == ["told", 2, *old]


def test_a_successor_that_cannot_begin_costs_nobody_the_child_that_serves(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        old = manager.current(2)
        manager.order("broken", 2)
        manager.send_signal(signal.SIGUSR1)
        wait_until(lambda: len(manager.lives(2)) >= 3, "it is tried again")
        assert manager.current(2) == old
        manager.countermand("broken", 2)

        manager.wait_for_notes("after reload", within_s=30)
        assert manager.current(2) != old


def test_a_child_that_does_not_leave_is_killed_once_its_time_is_over(tmp_path: Path) -> None:
    with running_manager(tmp_path, max_wait_s=0.3) as manager:
        seat, pid = manager.current(2)
        manager.order("busy", 2)
        manager.send_signal(signal.SIGUSR2)

        assert manager.wait_for_line("child did not leave in time, killed")[0]["pid"] == pid
        manager.wait_for_notes("kill")
        # of two that leave in good order each may be late on a busy machine
        assert [each for each in manager.notes("kill") if each[0] == 2] == [[2, seat]]
        manager.countermand("busy", 2)
        manager.wait_for_notes("after reload")


def test_a_child_that_leaves_by_itself_is_followed_in_its_seat(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        manager.order("recycle", 2, 0)

        wait_until(lambda: len(manager.lives(2)) == 2, "another is started")
        assert [seat for seat, _ in manager.lives(2)] == [0, 0]
        manager.wait_for_notes("current", len(ALL) + 1)


@pytest.mark.parametrize("slot", [TASKS[0], EVENTS[-1]])
def test_a_child_that_cannot_begin_keeps_the_manager_from_starting(tmp_path: Path, slot: int) -> None:
    with running_manager(tmp_path, f"broken {slot}") as manager:
        assert manager.exit_status() == START_FAILED

        assert len(manager.notes("start error")) == 1
        assert manager.notes("ready") == []


def test_where_the_system_has_no_process_left_a_reload_waits_for_one(tmp_path: Path) -> None:
    with running_manager(tmp_path) as manager:
        old = manager.current(2)
        manager.order("no fork")
        manager.send_signal(signal.SIGUSR2)
        manager.wait_for_line("child cannot be started")
        assert manager.current(2) == old
        manager.countermand("no fork")

        manager.wait_for_notes("after reload", within_s=30)
        assert manager.current(2) != old
