"""Starts a child process. The only file that forks."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

from setproctitle import setproctitle

from engine.log_lines import get_logger
from engine.process.signals import blocked, reset_in_child

log = get_logger(__name__)

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)

START_FAILED = 3
"""Exit code of a child that could not begin its work."""


class Readiness:
    """The child's end of the pipe by which it tells the manager that it can work."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def announce(self) -> None:
        os.write(self._descriptor, b"R")
        os.close(self._descriptor)


def spawn(title: str, main: Callable[[Readiness], int], close_fds: list[int]) -> tuple[int, int]:
    """Fork a child that runs `main` and exits with its result; returns its pid and the readiness pipe.

    The child is killed when its parent dies. `close_fds` are the parent's, of no use to it. Raises OSError when the
    system has no process or descriptor left.
    """
    read_end, write_end = os.pipe()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    with blocked():
        try:
            pid = os.fork()
        except OSError:
            os.close(read_end)
            os.close(write_end)
            raise
        if pid == 0:
            try:
                _become_child(parent, title, [read_end, *close_fds])
            except BaseException:  # it would end in the manager's own loop, and there would be two managers
                log.exception("child could not be set up")
                os._exit(START_FAILED)
    if pid == 0:
        _run(main, Readiness(write_end))
    os.close(write_end)
    os.set_blocking(read_end, False)
    return pid, read_end


def _become_child(parent: int, title: str, close_fds: list[int]) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above took effect
        os._exit(START_FAILED)
    for descriptor in close_fds:
        os.close(descriptor)
    reset_in_child()
    setproctitle(title)


def _run(main: Callable[[Readiness], int], readiness: Readiness) -> None:
    """Run `main` and leave without the parent's clean-up: no atexit, no finally blocks of its frames."""
    code = START_FAILED
    try:
        code = main(readiness)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else START_FAILED
    except BaseException:
        log.exception("worker ended by an error")
        code = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)
