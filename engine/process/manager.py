"""Keeps the children alive, and ends them in order. Runs in the program's own process, without threads."""

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.errors import StartError
from engine.process.child import Child, Readiness, spawn
from engine.process.pool import Failures, after_death, plan
from engine.process.signals import Mailbox, listening

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_ONE_WISH_S = 0.5
_LAST_WORDS_S = 1.0
"""What a later role gets at least, after an earlier one used up the time for stopping."""


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of child: `main(slot, readiness)` runs in each of its slots. Roles start, and leave, in order."""

    title: Callable[[int], str]
    slots: Sequence[int]
    main: Callable[[int, Readiness], int]
    on_previous_gone: Callable[[], None] = field(default=lambda: None)
    """Called while stopping, once every child of the roles before this one is gone."""


class Manager:
    """Starts every role, replaces who dies, stops when told."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        max_wait_s: float,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        on_death: Callable[[int, int, int, int], None],
    ) -> None:
        """`max_wait_s`: how long children may take to stop before SIGKILL, 0 is for ever.
        `on_ready`: all are ready for the first time. `on_stop`: stopping begins.
        `on_death(slot, pid, exit_code, signal)`: a child ended that was not asked to."""
        self._roles = roles
        self._role_of = {slot: role for role in roles for slot in role.slots}
        self._max_wait_s = max_wait_s
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._on_death = on_death
        self._children: dict[int, Child] = {}
        self._failures: dict[int, Failures] = {}
        self._started = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let the children finish. Raises StartError when one cannot begin."""
        with listening(SIGNALS) as mailbox:
            try:
                stopping = False
                while not stopping:
                    self._carry_out(mailbox)
                    stopping = self._was_told_to_stop(mailbox.wait(self._patience_s()))
                    self._note_ready(mailbox)
                    self._reap(mailbox)
            finally:
                self._stop(mailbox)

    @staticmethod
    def _was_told_to_stop(numbers: list[int]) -> bool:
        return any(number in (signal.SIGTERM, signal.SIGINT) for number in numbers)

    def _carry_out(self, mailbox: Mailbox) -> None:
        now = time.monotonic()
        for step in plan(self._children.keys(), list(self._role_of), self._failures, now):
            role = self._role_of[step.slot]
            slot = step.slot
            pipes = [child.ready_fd for child in self._children.values() if child.ready_fd is not None]
            pid, ready_fd = spawn(role.title(slot), partial(role.main, slot), close_fds=pipes)
            self._children[slot] = Child(slot, pid, ready_fd, now)
            mailbox.watch(ready_fd)

    def _patience_s(self) -> float | None:
        """How long there is nothing to do unless something happens."""
        waiting = [each for slot, each in self._failures.items() if slot not in self._children]
        now = time.monotonic()
        return min((max(0.01, each.at + each.delay_s - now) for each in waiting), default=None)

    def _note_ready(self, mailbox: Mailbox) -> None:
        for child in self._children.values():
            if child.ready_fd is None:
                continue
            try:
                child.ready = os.read(child.ready_fd, 1) != b""  # empty: it ended, `_reap` reads how
            except BlockingIOError:
                continue
            self._close_pipe(child, mailbox)
        if not self._started and len(self._children) == len(self._role_of) and self._all_ready():
            self._started = True
            self._on_ready()

    @staticmethod
    def _close_pipe(child: Child, mailbox: Mailbox) -> None:
        if child.ready_fd is not None:
            mailbox.forget(child.ready_fd)
            os.close(child.ready_fd)
            child.ready_fd = None

    def _all_ready(self) -> bool:
        return all(child.ready for child in self._children.values())

    def _reap(self, mailbox: Mailbox) -> None:
        for child, exit_code, killed_by in self._collect_dead(mailbox):
            now = time.monotonic()
            if not child.ready and not self._started and (exit_code or killed_by not in (0, signal.SIGTERM)):
                title = self._role_of[child.slot].title(child.slot)
                how = f"was killed by signal {killed_by}" if killed_by else f"ended with exit code {exit_code}"
                raise StartError(f"{title} cannot start, it {how}")
            record = after_death(self._failures.get(child.slot), child.ready, now - child.started_at, now)
            if record:
                self._failures[child.slot] = record
            else:
                self._failures.pop(child.slot, None)
            facts = {"slot": child.slot, "pid": child.pid, "exit_code": exit_code, "signal": killed_by}
            if killed_by or exit_code:
                delay_s = record.delay_s if record else 0.0
                log.warning("child died, starting another", extra={**facts, "delay_s": delay_s})
                self._on_death(child.slot, child.pid, exit_code, killed_by)
            else:
                log.info("child left, starting another", extra=facts)

    def _collect_dead(self, mailbox: Mailbox) -> list[tuple[Child, int, int]]:
        """Children that ended since the last call: each with its exit code and the signal that killed it, or 0."""
        dead = []
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            del self._children[child.slot]
            self._close_pipe(child, mailbox)
            killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            dead.append((child, os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0, killed_by))
        return dead

    def _stop(self, mailbox: Mailbox) -> None:
        """Ask all to leave, wait for role after role, kill who stays too long. A second signal ends the patience."""
        self._on_stop()
        self._signal_all(signal.SIGTERM)
        told_at = time.monotonic()
        deadline = told_at + self._max_wait_s if self._max_wait_s else float("inf")
        for role in self._roles:
            role.on_previous_gone()
            deadline = max(deadline, time.monotonic() + _LAST_WORDS_S)
            while left := [slot for slot in role.slots if slot in self._children]:
                rest_s = deadline - time.monotonic()
                if rest_s <= 0:
                    log.warning("children did not stop in time, killed", extra={"slots": left})
                    self._signal_all(signal.SIGKILL, left)
                    rest_s = 0.05
                again = self._was_told_to_stop(mailbox.wait(min(rest_s, 0.5)))
                # A service manager may signal the process and then its group: that is one wish, not two.
                if again and time.monotonic() > told_at + _ONE_WISH_S:
                    deadline = time.monotonic()
                self._collect_dead(mailbox)

    def _signal_all(self, number: int, slots: Sequence[int] | None = None) -> None:
        for child in self._children.values():
            if slots is None or child.slot in slots:
                os.kill(child.pid, number)  # not reaped yet, so the pid is still its own
