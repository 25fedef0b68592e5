"""Keeps the children alive, renews them, and ends them in order. Runs in the program's own process, without threads."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence

from engine.errors import StartError
from engine.log_lines import get_logger
from engine.process.children import Children, Role
from engine.process.reload import Reloads
from engine.process.signals import Mailbox, listening
from engine.process.slot import Death
from engine.process.stop import is_stop, stop
from engine.process.supervision import Kill, Promote, Retire, Spawn, Step, after_death, next_look, one_more, plan
from engine.process.task_limit import Expiry, TaskLimit

log = get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def _with_hangup() -> list[int]:
    """The end of a terminal is a stop, unless nohup(1) started the server."""
    return [*SIGNALS, *([] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP])]


class Manager:
    """Starts every role, replaces who dies, reloads and stops when told."""

    def __init__(
        self,
        roles: Sequence[Role],
        *,
        max_wait_s: float,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        on_death: Callable[[int, int, int, int], None],
        on_current: Callable[[int, int], None],
        on_gone: Callable[[int, int], bool],
        on_kill: Callable[[int, int], None],
        before_reload: Callable[[], None],
        after_reload: Callable[[], None],
        reloads: Mapping[int, Sequence[Role]],
        task_limit: TaskLimit | None = None,
    ) -> None:
        """`max_wait_s`: how long children may take to leave before SIGKILL, 0 is for ever.
        `on_ready`: all are ready for the first time. `on_stop`: stopping begins.
        `on_death(slot, pid, exit_code, signal)`: a child ended that was not asked to.
        `on_current(slot, seat)`: the child in that seat is ready and speaks for its slot from now on; one that it
        follows is told to leave after this.
        `on_gone(slot, seat)`: the process in that seat is gone, for whatever reason; called before `on_death`, and
        before another is started there. Says whether it had a task in hand.
        `on_kill(slot, seat)`: the child in that seat takes too long to leave; it stands still, and is killed next.
        `reloads`: the roles that get new children at a signal. Around each reload `before_reload` and `after_reload`
        are called, the latter when every slot is served by a new child; old ones may still be leaving.
        `task_limit`: who takes too long for a task; None where there is no limit.
        """
        self._roles = roles
        self._max_wait_s = max_wait_s
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._on_death = on_death
        self._on_current = on_current
        self._on_gone = on_gone
        self._on_kill = on_kill
        self._around_reload = before_reload, after_reload
        self._slots_to_reload = {number: [s for role in of for s in role.slots] for number, of in reloads.items()}
        self._task_limit = task_limit
        self._children: Children
        self._reloads: Reloads
        self._started = False
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP, then let the children finish. StartError if one cannot begin."""
        with listening((*_with_hangup(), *self._slots_to_reload)) as mailbox:
            self._children = Children(self._roles, mailbox, self._on_gone, self._on_kill)
            self._reloads = Reloads(self._children.slots, *self._around_reload)
            expiry = Expiry(self._children, self._task_limit)
            try:
                while not self._stopping:
                    times = self._carry_out_plans(), expiry.enforce()
                    self._hear(mailbox, min((at for at in times if at is not None), default=None))
            finally:
                self._on_stop()
                stop(self._children, self._roles, mailbox, self._max_wait_s, expiry)

    # ── what is to be done ──────────────────────────────────────────────────────────────────────

    def _carry_out_plans(self) -> float | None:
        """Until there is nothing to do but wait; until when (monotonic), or None for whatever happens next."""
        while True:
            self._note_progress()
            steps = plan(self._children.slots, time.monotonic())
            if not steps:
                return next_look(self._children.slots)
            for step in steps:
                self._carry_out(step)

    def _note_progress(self) -> None:
        if not self._started and all(slot.was_ready for slot in self._children.slots):
            self._started = True
            self._on_ready()
        if self._started:
            self._reloads.advance()

    def _carry_out(self, step: Step) -> None:
        match step:
            case Spawn(slot, seat):
                self._spawn(slot, seat)
            case Promote(slot, seat):
                self._children.slot(slot).promote(seat)
                self._on_current(slot, seat)
            case Retire(slot, seat):
                child = self._children.child(slot, seat)
                child.leave_by = time.monotonic() + self._max_wait_s if self._max_wait_s else float("inf")
                log.info("child told to leave", extra=self._children.facts(child))
                self._children.signal(signal.SIGTERM, [child])
            case Kill(slot, seat):
                child = self._children.child(slot, seat)
                child.leave_by = float("inf")
                log.warning("child did not leave in time, killed", extra=self._children.facts(child))
                self._children.kill([child])

    def _spawn(self, number: int, seat: int) -> None:
        try:
            self._children.start(number, seat)
        except OSError as error:
            if not self._started:
                raise StartError(f"{self._children.title(number)} cannot start: {error}") from error
            slot = self._children.slot(number)
            slot.failures = one_more(slot.failures, time.monotonic())
            facts = {"title": self._children.title(number), "slot": number, "seat": seat}
            facts |= {"error": str(error), "delay_s": slot.failures.delay_s}
            log.error("child cannot be started", extra=facts)

    # ── what happened ───────────────────────────────────────────────────────────────────────────

    def _hear(self, mailbox: Mailbox, at: float | None) -> None:
        """Wait for something to happen, until `at` at most, and take note of it."""
        numbers = mailbox.wait(None if at is None else max(0.001, at - time.monotonic()))
        self._children.note_ready()
        deaths = self._children.reap()
        # A signal to the whole group may end a child before it is read here: nobody is to take that child's place.
        numbers += mailbox.read()
        self._stopping = is_stop(numbers)
        for number in numbers:
            if number in self._slots_to_reload:
                self._reloads.ask(self._slots_to_reload[number])
        for death in deaths:
            self._judge(death)

    def _judge(self, death: Death) -> None:
        """What a death means for its slot, and for the log."""
        child, exit_code, killed_by = death.child, death.exit_code, death.killed_by
        facts = self._children.facts(child) | {"exit_code": exit_code, "signal": killed_by}
        if death.was_told or self._stopping:
            log.info("child left", extra=facts)
            return
        if not child.is_ready and not self._started and (exit_code or killed_by not in (0, signal.SIGTERM)):
            how = f"was killed by signal {killed_by}" if killed_by else f"ended with exit code {exit_code}"
            raise StartError(f"{self._children.title(child.slot)} cannot start, it {how}")
        slot = self._children.slot(child.slot)
        slot.failures = after_death(slot.failures, death, time.monotonic(), is_exclusive=slot.is_exclusive)
        facts["delay_s"] = slot.failures.delay_s if slot.failures else 0.0
        if death.was_successor:
            log.warning("successor died at its start, the child before it goes on", extra=facts)
        elif death.has_successor:
            log.warning("child ended, its successor is starting already", extra=facts)
        elif killed_by or exit_code:
            log.warning("child died, starting another", extra=facts)
        else:
            log.info("child left, starting another", extra=facts)
        if killed_by or exit_code:
            self._on_death(child.slot, child.pid, exit_code, killed_by)
