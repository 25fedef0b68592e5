"""engine/process/manager.py and children.py, at moments that real signals hardly ever meet. Children are real ones."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from engine.process.child import START_FAILED, Readiness, spawn
from engine.process.children import Children, Role
from engine.process.manager import Manager
from engine.process.signals import listening
from engine.process.slot import Death


def leave_at_once(slot: int, seat: int, readiness: Readiness) -> int:
    readiness.announce()
    return 0


def role(main: Callable[[int, int, Readiness], int]) -> Role:
    return Role(lambda slot: f"child {slot}", [0], main)


def manager(main: Callable[[int, int, Readiness], int], **callbacks: Callable[..., Any]) -> Manager:
    names = ("on_ready", "on_stop", "on_death", "on_current", "on_gone", "on_kill", "before_reload", "after_reload")
    calls: dict[str, Any] = {name: lambda *facts: None for name in names} | callbacks
    return Manager([role(main)], max_wait_s=5.0, reloads={}, **calls)


def test_a_child_that_was_ready_and_gone_before_anybody_looked_was_ready() -> None:
    gone: list[tuple[int, int]] = []
    with listening([signal.SIGCHLD]) as mailbox:
        children = Children(
            [role(leave_at_once)], mailbox, on_gone=lambda *seat: bool(gone.append(seat)), on_kill=lambda *seat: None
        )
        children.start(0, 1)
        os.waitid(os.P_PID, children.child(0, 1).pid, os.WEXITED | os.WNOWAIT)

        (death,) = children.reap()

    assert death.child.is_ready
    assert gone == [(0, 1)]
    assert children.all == []


def test_a_child_that_cannot_settle_in_never_becomes_a_second_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    pid, ready_fd = 0, -1

    def fail(title: str) -> None:
        raise OSError("no title")

    monkeypatch.setattr("engine.process.child.setproctitle", fail)
    parent = os.getpid()
    try:
        pid, ready_fd = spawn("child", lambda readiness: 0, close_fds=[])
    finally:
        if os.getpid() != parent:
            os._exit(77)

    _, status = os.waitpid(pid, 0)
    os.close(ready_fd)
    assert os.waitstatus_to_exitcode(status) == START_FAILED


def test_nobody_follows_a_child_that_left_for_a_sigterm_which_the_manager_reads_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone: list[tuple[int, int]] = []
    reap = Children.reap

    def reap_and_be_told(children: Children) -> list[Death]:
        if deaths := reap(children):
            signal.raise_signal(signal.SIGTERM)
        return deaths

    monkeypatch.setattr(Children, "reap", reap_and_be_told)

    manager(leave_at_once, on_gone=lambda *seat: bool(gone.append(seat))).run()

    assert gone == [(0, 0)]
