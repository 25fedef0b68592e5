"""Processes for measurements: each measurement has one of its own, and none outlives the benchmark."""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import StartError

_PR_SET_PDEATHSIG = 1  # prctl(2)
ROOT = Path(__file__).parent.parent
_LONGEST_S = 300


class Unavailable(Exception):
    """What was to be measured is not there; the text says why."""


class Placement(StrEnum):
    """Where processes run. Left to the kernel, the same floor differs sixfold between runs: see RESULTS.md."""

    APART = "a core each"
    TOGETHER = "one core"
    FREE = "the kernel's"


def settle(placement: Placement, place: int) -> None:
    """Go to the core for this place: 0 is who asks, 1 and up are those who work. For a process that is not pinned."""
    first, *others = sorted(os.sched_getaffinity(0))
    if placement is Placement.APART and place and others:
        os.sched_setaffinity(0, {others[(place - 1) % len(others)]})
    elif placement is not Placement.FREE:
        os.sched_setaffinity(0, {first})


def run(function: str, root: Path = ROOT, /, **arguments: Any) -> Any:
    """What `module:function` of the copy in `root` returns in a fresh interpreter; arguments and result are JSON.

    Raises Unavailable when it does, and RuntimeError with the end of its log when it fails. It dies with us.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.processes", function, json.dumps(arguments)],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we end all of it
        )
        try:
            told, _ = process.communicate(timeout=_LONGEST_S)
        finally:
            _end_session(process)
        log.seek(0)
        said = log.read().decode(errors="replace").strip()
    if process.returncode or not told:
        raise RuntimeError(f"{function} ended with {process.returncode}: {said[-2000:] or 'it said nothing'}")
    answer = json.loads(told)
    if "unavailable" in answer:
        raise Unavailable(answer["unavailable"])
    return answer["found"]


def _end_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # all left by themselves, as they should
        return
    finally:
        process.wait()


@contextmanager
def forked(main: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """A child that runs `main(descriptor)`: its pid, and the descriptor that it is heard on. Ended with the block."""
    hear, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(hear)
        code = 1
        try:
            die_with_parent()
            main(tell)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(tell)
    try:
        yield pid, hear
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.close(hear)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _main() -> None:
    function, arguments = sys.argv[1:]
    die_with_parent()
    module, _, name = function.partition(":")
    try:
        answer = {"found": getattr(importlib.import_module(module), name)(**json.loads(arguments))}
    except (StartError, NotImplementedError) as error:
        answer = {"unavailable": str(error) or type(error).__name__}
    except Unavailable as error:
        answer = {"unavailable": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    # the module that measures imports this one by its name: one Unavailable, not two
    sys.modules["benchmarks.processes"] = sys.modules["__main__"]
    _main()
