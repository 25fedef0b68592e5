"""Starts, signals and reaps the children. Carries out, decides nothing."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.process.child import Readiness, spawn
from engine.process.signals import Mailbox
from engine.process.slot import Child, Death, Slot

_STOPPED_OR_GONE = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
_STOPS_WITHIN_S = 1.0
"""One that hangs in the kernel stops when it comes back from there, before it does anything else."""


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of child: `main(slot, seat, readiness)` runs in each of its slots. Roles start, and leave, in order."""

    title: Callable[[int], str]
    slots: Sequence[int]
    main: Callable[[int, int, Readiness], int]
    on_previous_gone: Callable[[], None] = field(default=lambda: None)
    """Called while stopping, once every child of the roles before this one is gone."""
    is_exclusive: bool = False
    """See Slot."""
    outlasts_previous: bool = False
    """Its children are told to stop only when those of the roles before are gone, who need them until then."""


class Children:
    """Every slot of the roles, in their order, with its children."""

    def __init__(
        self,
        roles: Sequence[Role],
        mailbox: Mailbox,
        on_gone: Callable[[int, int], bool],
        on_kill: Callable[[int, int], None],
    ) -> None:
        """`on_gone(slot, seat)`: the process in that seat is gone, and another may be started there; whether it had a
        task in hand. `on_kill(slot, seat)`: it is stopped, and will be killed by us."""
        self.slots = [Slot(number, role.is_exclusive) for role in roles for number in role.slots]
        self._slot_by_number = {slot.number: slot for slot in self.slots}
        self._role_of = {number: role for role in roles for number in role.slots}
        self._mailbox = mailbox
        self._on_gone = on_gone
        self._on_kill = on_kill

    def slot(self, number: int) -> Slot:
        return self._slot_by_number[number]

    def child(self, number: int, seat: int) -> Child:
        """Return the child in this seat. Raises KeyError when it is empty."""
        if child := self.slot(number).seats[seat]:
            return child
        raise KeyError((number, seat))

    def title(self, number: int) -> str:
        return self._role_of[number].title(number)

    def facts(self, child: Child) -> dict[str, object]:
        """Return which child it is, for the log."""
        return {"title": self.title(child.slot), "slot": child.slot, "seat": child.seat, "pid": child.pid}

    @property
    def all(self) -> list[Child]:
        return [child for slot in self.slots for child in slot.children]

    def start(self, number: int, seat: int) -> None:
        """Start a child in a free seat. Raises OSError when the system has no process left for it."""
        slot = self.slot(number)
        pipes = [child.ready_fd for child in self.all if child.ready_fd is not None]
        main = partial(self._role_of[number].main, number, seat)
        pid, ready_fd = spawn(self.title(number), main, close_fds=pipes)
        slot.take(Child(number, seat, slot.generation, pid, ready_fd, time.monotonic()))
        self._mailbox.watch(ready_fd)

    def note_ready(self) -> None:
        """Note which children became ready."""
        for child in self.all:
            self._read_pipe(child)

    def _read_pipe(self, child: Child) -> None:
        if child.ready_fd is None:
            return
        try:
            child.is_ready = os.read(child.ready_fd, 1) != b""  # empty: it ended, `reap` reads how
            self.slot(child.slot).was_ready |= child.is_ready
        except BlockingIOError:
            return
        self._mailbox.forget(child.ready_fd)
        os.close(child.ready_fd)
        child.ready_fd = None

    def reap(self) -> list[Death]:
        """Return the children that ended since the last call; their seats are free."""
        deaths = []
        for child in self.all:
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            self._read_pipe(child)  # it may have been ready and gone before anybody looked
            slot = self.slot(child.slot)
            was_successor, has_successor = child is slot.successor, child is slot.own and slot.successor is not None
            slot.vacate(child.seat)
            deaths.append(
                Death(
                    child,
                    exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
                    killed_by=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                    was_successor=was_successor,
                    has_successor=has_successor,
                    was_at_work=self._on_gone(child.slot, child.seat),
                )
            )
        return deaths

    def kill(self, children: Iterable[Child]) -> None:
        """Kill children at once, for taking too long and not for what they do."""
        for child in children:
            self.freeze(child)
            self._on_kill(child.slot, child.seat)
            os.kill(child.pid, signal.SIGKILL)

    @staticmethod
    def freeze(child: Child) -> None:
        """Stop a child by SIGSTOP and wait until it is stopped, or gone: it changes no shared memory any more."""
        os.kill(child.pid, signal.SIGSTOP)
        give_up_at = time.monotonic() + _STOPS_WITHIN_S
        while os.waitid(os.P_PID, child.pid, _STOPPED_OR_GONE) is None and time.monotonic() < give_up_at:
            time.sleep(0.0005)

    @staticmethod
    def signal(number: int, children: Iterable[Child]) -> None:
        for child in children:
            os.kill(child.pid, number)  # not reaped yet, so the pid is still its own
