"""A process that has loaded our programs already, and forks one whenever a test asks: `tests/starting.py` does.

To start Python and load what `python -m app status` needs takes half a second of a processor, which is most of what a
test of a command costs. What is forked is as real as any: a process with a pid, signals, and an environment, a folder
and files of its own; only its modules are there before it begins.
"""

import atexit
import errno
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from setproctitle import getproctitle

MOST_BYTES = 1 << 20
"""Of a request."""
_FILES = 4
"""What comes with it: stdin, stdout, stderr, and where its exit status goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to become. `command` is what stands behind `python`."""

    command: Sequence[str]
    environment: dict[str, str]
    folder: str
    new_session: bool

    def encode(self) -> bytes:
        return json.dumps([self.command, self.environment, self.folder, self.new_session]).encode()

    @classmethod
    def decode(cls, said: bytes) -> "Request":
        command, environment, folder, new_session = json.loads(said)
        return cls(command=command, environment=environment, folder=folder, new_session=new_session)


# ── the parent ──────────────────────────────────────────────────────────────────────────────────


def load(packages: Sequence[str]) -> None:
    """Import these, and of a package all that is in it, but for what runs when it is imported."""
    for name in packages:
        module = importlib.import_module(name)
        inside = pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}.")
        for each in inside:
            if not each.name.endswith("__main__"):
                importlib.import_module(each.name)
    getproctitle()  # the first call looks for room behind the environment that the process was started with
    gc.collect()
    gc.freeze()  # a child's collections would copy every page that it shares with us


def serve(door: socket.socket) -> Request | None:
    """Fork for each request; comes back in a child, with what it is to become, or with nothing at the end."""
    endings: dict[int, int] = {}
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([door, ours], [], [])
        if ours in ready:
            os.read(ours, 4096)
            _bury(endings)
        if door in ready:
            said, files, _, _ = socket.recv_fds(door, MOST_BYTES, _FILES)
            if not said:
                break
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                door.detach()
                _have_only(files[: _FILES - 1])
                return Request.decode(said)
            endings[pid] = files.pop()
            for each in files:
                os.close(each)
            door.send(str(pid).encode())
    for pid in endings:  # who asked for them is gone
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return None


def _bury(endings: dict[int, int]) -> None:
    """Tell of each that is over, then let its pid go."""
    for pid in list(endings):
        over = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if over:
            status = over.si_status if over.si_code == os.CLD_EXITED else -over.si_status
            with suppress(BrokenPipeError):
                os.write(endings[pid], str(status).encode())
            os.close(endings.pop(pid))
            os.waitpid(pid, 0)


# ── the child ───────────────────────────────────────────────────────────────────────────────────


def _have_only(files: Sequence[int]) -> None:
    """Have these as stdin, stdout, stderr, and no other."""
    for number, each in enumerate(files):
        os.dup2(each, number)
    for each in map(int, os.listdir("/proc/self/fd")):
        if each >= len(files):
            try:
                os.close(each)
            except OSError as error:  # the one that the list was read with
                if error.errno != errno.EBADF:
                    raise


def _open_streams() -> None:
    """Those that Python opened at the start know of the files of then, whether they are pipes or terminals."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        how = {"encoding": old.encoding, "errors": old.errors, "closefd": False}
        stream = open(number, "w" if number else "r", **how)  # noqa: SIM115
        stream.reconfigure(line_buffering=stream.line_buffering or old.line_buffering, write_through=old.write_through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def become(request: Request) -> None:
    """Run the program as `python` would."""
    if request.new_session:
        os.setsid()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    _open_streams()
    first, *rest = request.command
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(rest[0], vars(main))
    else:
        raise ValueError(f"neither -m nor -c: {request.command}")


def end(program: Callable[[], None]) -> NoReturn:
    """Run it, and end as Python does, but for the modules, which go with the process: to take every one apart would
    copy every page of memory that we share, and last longer than most commands."""
    try:
        status = _status_of(program)
        threading._shutdown()
        atexit._run_exitfuncs()
        gc.collect()  # what nobody holds any more: connections are closed, generators end
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(120)  # Python's own when it cannot write what was printed
    os._exit(status)


def _status_of(program: Callable[[], None]) -> int:
    try:
        program()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return (ended.code or 0) & 0xFF
        print(ended.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def main(door: str, *packages: str) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests by nohup hands it down ignored
    load(packages)
    request = serve(socket.socket(fileno=int(door)))
    if request:
        end(partial(become, request))


if __name__ == "__main__":
    main(*sys.argv[1:])
