"""Starts a real server for a test, watches it, and sees that it ends without a trace."""

import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from engine import Client, Server
from engine.ipc import message
from tests import starting

ROOT = Path(__file__).parents[3]
T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, within_s: float = 30.0) -> T:
    """The first true value of `condition`; fails the test when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.005)
    return value


class Running:
    """A server in a process of its own. `errors_are_fine`: the test makes it log errors."""

    entry = "tests.integration.engine.inside"
    """The module whose `main` runs there."""

    def __init__(self, program: Callable[[Server], None], directory: Path, port: int, settings: dict[str, Any]) -> None:
        self.directory = directory
        self.spill = directory / "spill"
        self.name = f"test-{secrets.token_hex(4)}"
        self.errors_are_fine = False
        self.was_killed = False
        """The manager was, by kill -9: nobody clears up."""
        self.leaves_tasks = False
        """For another start under its key, and what belongs to them in the directory."""
        directory.mkdir(exist_ok=True)
        self._lives_before = len(self.notes("ready"))
        arguments = {"process_name": self.name, "task_tmpdir": str(self.spill), **settings}
        code = f"from {self.entry} import main; main()"
        where = f"{program.__module__}:{program.__name__}"
        with open(directory / "stderr", "ab") as stderr:
            self.process = starting.start(
                ["-c", code, str(directory), where, str(port), json.dumps(arguments)],
                os.environ,
                stdout=stderr.fileno(),
                stderr=stderr.fileno(),
                new_session=True,  # so that killpg is a Ctrl-C for it alone
            )
        self.port = port

    # ── how it is ───────────────────────────────────────────────────────────────────────────────

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.stderr()}")
            return len(self.notes("ready")) > self._lives_before

        wait_until(ready, "server ready", 30)
        self.port = self.notes("ready")[-1][0]

    def notes(self, name: str) -> list[list[Any]]:
        """What the program noted under this name: the facts of each note, in order."""
        return [facts for each, *facts in self._lines("notes") if each == name]

    def wait_for_notes(self, name: str, count: int = 1, within_s: float = 30.0) -> list[list[Any]]:
        wait_until(lambda: len(self.notes(name)) >= count, f"{count} notes of {name!r}", within_s)
        return self.notes(name)

    def log(self, said: str = "") -> list[dict[str, Any]]:
        """The log's lines that say this, or all."""
        return [line for line in self._lines("log") if said in line["said"]]

    def stderr(self) -> str:
        return (self.directory / "stderr").read_text()

    def _lines(self, file: str) -> list[Any]:
        path = self.directory / file
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def processes(self) -> dict[str, int]:
        """Pids by the rest of their title: `manager`, `worker 0`, `task worker 3`."""
        return _titled(self.name)

    def family(self) -> list[tuple[str, int]]:
        """The same of every process: in a reload two have one title, as have children that one of them forked."""
        return sorted(_family(self.name))

    def pid_of(self, title: str) -> int:
        return wait_until(lambda: self.processes().get(title, 0), f"a process titled {title!r}")

    def spill_files(self) -> list[Path]:
        return sorted(self.spill.glob("*.spill")) if self.spill.exists() else []

    # ── what is done to it ──────────────────────────────────────────────────────────────────────

    def client(self, timeout_s: float = 30.0) -> Client:
        return Client("127.0.0.1", self.port, timeout_s=timeout_s)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def kill(self, title: str) -> int:
        """kill -9 of a child; its pid."""

        def killed() -> int:
            pid = self.processes().get(title, 0)
            with suppress(ProcessLookupError):  # one that a reload replaces may be gone by now
                if pid:
                    os.kill(pid, signal.SIGKILL)
                    return pid
            return 0

        return wait_until(killed, f"a process titled {title!r} to kill")

    def kill_all(self) -> None:
        """kill -9 of every process at once: nobody clears up."""
        self.was_killed = True
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        # without a title it may still have its files open, the port among them; and some of them nobody saw begin
        wait_until(lambda: not any(map(is_alive, _group(self.process.pid))), "every process is gone")

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_status(self, within_s: float = 40.0) -> int:
        """Its exit status; fails when it does not end in time."""
        return self.process.wait(within_s)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.send_signal(signal.SIGTERM)
        return self.exit_status()

    def check_no_trace(self) -> None:
        wait_until(lambda: not _titled(self.name), f"no process of {self.name} left, {_titled(self.name)}", 10)
        if not self.was_killed and not self.leaves_tasks:
            assert not self.spill.exists(), f"left in the directory: {list(self.spill.iterdir())}"
        if not self.errors_are_fine:
            assert [line for line in self.log() if line["level"] in ("ERROR", "CRITICAL")] == []
            assert "Traceback" not in self.stderr(), self.stderr()


@contextmanager
def running(program: Callable[[Server], None], directory: Path, *, port: int = 0, **settings: Any) -> Iterator[Running]:
    """A server that runs `program`, ready. At the end it is stopped, and nothing of it may be left.

    `settings` are the engine's; worker_num and task_worker_num are 1 where nothing else is said.
    """
    server = start(program, directory, port=port, **settings)
    try:
        server.wait_until_ready()
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0, server.stderr()
        server.check_no_trace()
    except BaseException:
        print("\n".join(json.dumps(line) for line in server.log()[-60:]))
        print(server.stderr())
        raise
    finally:
        _end(server)


def start(program: Callable[[Server], None], directory: Path, *, port: int = 0, **settings: Any) -> Running:
    """A server that may not come up; the caller waits for what it expects."""
    return Running(program, directory, port, {"worker_num": 1, "task_worker_num": 1, **settings})


def _end(server: Running) -> None:
    """Whatever went wrong, no process stays."""
    for pid in _titled(server.name).values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait(30)


def _titled(name: str) -> dict[str, int]:
    """Living processes of this server by title. A zombie has no title any more."""
    return dict(_family(name))


def _family(name: str) -> list[tuple[str, int]]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            title = Path("/proc", pid, "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
            if title.startswith(f"{name}: "):
                found.append((title.removeprefix(f"{name}: "), int(pid)))
    return found


def _group(leader: int) -> list[int]:
    """All processes of this group, those included that only their parent has not noticed to be dead."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            _, _, group, *_ = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
            if int(group) == leader:
                found.append(int(pid))
    return found


def can_connect(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def can_listen(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def is_alive(pid: int) -> bool:
    """Whether it still runs; a zombie does not, but for its other threads, which end when they get to it."""
    try:
        is_zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not is_zombie or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def is_compiled() -> bool:
    """Whether the engine's hot modules are C here, see setup.py."""
    return not str(message.__file__).endswith(".py")
