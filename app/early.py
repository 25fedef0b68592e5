"""Ctrl-C while a command is still loading: it ends with the promised status and no traceback."""

import os
import signal
import sys


def leave_quietly() -> None:
    """From here on Ctrl-C ends the process at once. For the package that `python -m` names, which is loaded first of
    all; it does nothing where the package is imported by others, and where Ctrl-C is ignored, as with nohup."""
    is_named = sys.argv[:1] == ["-m"]  # so it is until Python has found what to run
    if is_named and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def loaded() -> None:
    """Ctrl-C is a KeyboardInterrupt again, which each command has its own answer to."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    os._exit(130)
