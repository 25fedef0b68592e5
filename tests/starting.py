"""Starts our programs for tests: as children of a process that has loaded them before, or as a shell does.

`TESTS_START=cold` in the environment has every one started as a shell does.
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.warm import Request

ROOT = Path(__file__).parents[1]
LOADED = (
    *("app", "engine", "seed", "migrations.schema", "examples.smsc"),
    *("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.mysql.pymysql", "rich._emoji_codes", "encodings.idna"),
    *("pytest", "tests.integration.engine.inside"),
)
"""What is there before a program begins: the product, what it loads late, and what the engine's tests serve."""
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
"""Variables that begin so are looked at while Python or a library loads: who has others of them is started cold."""


class Process(Protocol):
    """What tests do with a process; a Popen is one."""

    pid: int

    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    new_session: bool = False,
    cold: bool = False,
    prefix: Sequence[str] = (),
) -> Process:
    """A process of `python` with this command in the project's folder; files are descriptors or DEVNULL. `prefix` comes
    before it, and becomes that process; see tests/hosts.py."""
    if cold or prefix or command[0] not in ("-m", "-c") or not _is_as_here(environment):
        return subprocess.Popen(
            [*prefix, sys.executable, *command],
            cwd=ROOT,
            env=dict(environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=new_session,
        )
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        files = [nothing if each == subprocess.DEVNULL else each for each in (stdin, stdout, stderr)]
        request = Request(
            command=list(command), environment=dict(environment), folder=str(ROOT), new_session=new_session
        )
        return _parent(os.getpid()).fork(request, files)
    finally:
        os.close(nothing)


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    within_s: float = 60.0,
    cold: bool = False,
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """The same to its end, with what it wrote; without input."""
    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
    with open(out, "rb") as stdout, open(err, "rb") as stderr:
        process = start(command, environment, stdout=out, stderr=err, cold=cold, prefix=prefix)
        try:
            code = process.wait(within_s)
        except BaseException:
            process.kill()
            process.wait()
            raise
        said = [os.pread(each.fileno(), os.fstat(each.fileno()).st_size, 0).decode() for each in (stdout, stderr)]
    return subprocess.CompletedProcess([sys.executable, *command], code, *said)


def _is_as_here(environment: Mapping[str, str]) -> bool:
    """Whether what has been loaded here is as it would be with this environment."""
    if os.environ.get("TESTS_START") == "cold":
        return False
    here, there = (
        {name: value for name, value in each.items() if name.startswith(_READ_AT_THE_START)}
        for each in (os.environ, environment)
    )
    return here == there


class Started:
    """A child of the warm parent."""

    def __init__(self, command: Sequence[str], pid: int, ending: int) -> None:
        """`ending` is where its exit status is read."""
        self.args = command
        self.pid = pid
        self.returncode: int | None = None
        self._ending = ending

    def poll(self) -> int | None:
        """Its exit status, once it is over."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, in at most so many seconds. Raises TimeoutExpired."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return code

    def _look(self, timeout_s: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        ending = select.poll()  # select() knows the first 1,024 descriptors alone
        ending.register(self._ending, select.POLLIN)
        if ending.poll(None if timeout_s is None else timeout_s * 1000):
            said = os.read(self._ending, 100)
            assert said, "the warm parent has ended"
            os.close(self._ending)
            self.returncode = int(said)
        return self.returncode

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._ending)

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Parent:
    """The process that forks; it ends with ours, and all that it has forked with it."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno()), *packages],
                cwd=ROOT,
                # numpy's library would start a thread for each core, and forks are for processes that have one
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the tests
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self, request: Request, files: Sequence[int]) -> Started:
        ending, theirs = os.pipe()
        try:
            with self._turn:
                socket.send_fds(self._door, [request.encode()], [*files, theirs])
                pid = int(self._door.recv(100))
        finally:
            os.close(theirs)
        return Started([sys.executable, *request.command], pid, ending)

    def end(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._process.wait(10)


@cache
def _parent(owner: int) -> Parent:
    """One for each process of tests, `owner`: a child that was forked would hear answers that are not for it."""
    parent = Parent(LOADED)
    atexit.register(lambda: parent.end() if os.getpid() == owner else None)
    return parent
