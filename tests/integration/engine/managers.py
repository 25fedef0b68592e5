"""A manager with children that do nothing but live, as files in a directory tell them to."""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import StartError
from engine.process.child import START_FAILED, Readiness
from engine.process.children import Role
from engine.process.manager import Manager
from engine.process.signals import listening
from tests.integration.engine.inside import note, settle
from tests.integration.engine.servers import Running, is_alive, wait_until

TASKS, EVENTS = (2, 3), (0, 1)
ALL = (*TASKS, *EVENTS)
"""The slots, in their order: SIGUSR1 renews all, SIGUSR2 the first ones."""


class RunningManager(Running):
    """A manager in a process of its own, without a server.

    Orders are files. `slow 2`: children of slot 2 do not become ready while it is there; `broken 2`: they cannot
    begin; `busy 2`: they do not leave when told to; `recycle 2 1`: the one in seat 1 leaves by itself, and takes the
    file along; `no fork`: the system has no process left.
    """

    entry = "tests.integration.engine.managers"

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(_no_program, directory, 0, settings)
        self.errors_are_fine = True

    def order(self, *words: object) -> None:
        _order(self.directory, *words).touch()

    def countermand(self, *words: object) -> None:
        _order(self.directory, *words).unlink()

    def lives(self, slot: int) -> list[tuple[int, int]]:
        """Seat and pid of every child that this slot ever had, in order."""
        return [(seat, pid) for number, seat, pid in self.notes("born") if number == slot]

    def current(self, slot: int) -> tuple[int, int]:
        """Seat and pid of the child that speaks for this slot."""
        return [(seat, pid) for number, seat, pid in self.notes("current") if number == slot][-1]

    def all_pids(self) -> list[int]:
        return [pid for _, _, pid in self.notes("born")]

    def events(self, *names: str) -> list[list[Any]]:
        """Notes with these names, or all, in the order they were made, each with its name."""
        return [line for line in self._lines("notes") if not names or line[0] in names]

    def reload(self, number: int = signal.SIGUSR1) -> None:
        """Ask, and wait until it is done."""
        before = len(self.notes("after reload"))
        self.send_signal(number)
        self.wait_for_notes("after reload", before + 1)

    def wait_for_line(self, said: str, count: int = 1) -> list[dict[str, Any]]:
        return wait_until(lambda: len(found := self.log(said)) >= count and found, f"{count} lines {said!r}")


@contextmanager
def running_manager(directory: Path, *orders: str, **settings: Any) -> Iterator[RunningManager]:
    """A manager whose children are ready, or have `orders` that keep them from it. At the end none of them is left."""
    directory.mkdir(exist_ok=True)
    for each in orders:
        _order(directory, each).touch()
    made = RunningManager(directory, **settings)
    try:
        if not orders:
            made.wait_until_ready()
            made.wait_for_notes("current", len(ALL))  # the last one is spoken of a moment later
        yield made
        if made.process.poll() is None:
            assert made.stop() == 0, made.stderr()
        wait_until(lambda: not any(map(is_alive, made.all_pids())), "no child left", 10)
        assert "Traceback" not in made.stderr(), made.stderr()
    except BaseException:
        print("\n".join(json.dumps(line) for line in [*made.events(), *made.log()]))
        print(made.stderr())
        raise
    finally:
        for pid in made.all_pids():
            if is_alive(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait(30)


# ── the manager's process ───────────────────────────────────────────────────────────────────────


def main() -> None:
    """Arguments: directory, nothing, nothing, settings as JSON."""
    directory = Path(sys.argv[1])
    max_wait_s = json.loads(sys.argv[4]).get("max_wait_s", 20.0)
    settle(str(directory))

    def tell(event: str) -> Callable[[], None]:
        return lambda: note(event)

    fork = os.fork

    def fork_if_possible() -> int:
        if _order(directory, "no fork").exists():
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = fork_if_possible
    tasks = Role(lambda slot: f"task worker {slot}", TASKS, partial(_live, directory))
    events = Role(lambda slot: f"worker {slot}", EVENTS, partial(_live, directory), tell("task workers gone"))

    def on_current(slot: int, seat: int) -> None:
        child = manager._children.child(slot, seat)
        note("current", slot, seat, child.pid)

    def on_gone(slot: int, seat: int) -> bool:
        note("gone", slot, seat)
        return False

    manager = Manager(
        [tasks, events],
        max_wait_s=max_wait_s,
        on_ready=lambda: note("ready", 0),
        on_stop=tell("stop"),
        on_death=partial(note, "death"),
        on_current=on_current,
        on_gone=on_gone,
        on_kill=lambda slot, seat: note("kill", slot, seat),
        before_reload=tell("before reload"),
        after_reload=tell("after reload"),
        reloads={signal.SIGUSR1: [tasks, events], signal.SIGUSR2: [tasks]},
    )
    try:
        manager.run()
    except StartError as error:
        note("start error", str(error))
        sys.exit(START_FAILED)


def _live(directory: Path, slot: int, seat: int, readiness: Readiness) -> int:
    with listening([signal.SIGTERM]) as mailbox:
        note("born", slot, seat, os.getpid())
        if _order(directory, "broken", slot).exists():
            return START_FAILED
        told = False
        while not told and _order(directory, "slow", slot).exists():
            told = bool(mailbox.wait(0.01))
        if not told:
            note("able", slot, seat, os.getpid())
            readiness.announce()
        recycle = _order(directory, "recycle", slot, seat)
        while not told and not recycle.exists():
            told = bool(mailbox.wait(0.02))
        if not told:
            recycle.unlink()
        note("told", slot, seat, os.getpid())
        while told and _order(directory, "busy", slot).exists():
            mailbox.wait(0.01)
        note("left", slot, seat, os.getpid())
    return 0


def _order(directory: Path, *words: object) -> Path:
    return directory / " ".join(map(str, ("order", *words)))


def _no_program() -> None: ...
