"""What runs in a test's server process: a program from a test file, with its log and its notes in files."""

import ctypes
import importlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine import Server, Settings

_PR_SET_PDEATHSIG = 1  # prctl(2)
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message"}
_notes_path = Path(os.devnull)


def note(name: str, *facts: Any) -> None:
    """Tell the test something, from any process; see Running.notes."""
    line = json.dumps([name, *facts]) + "\n"
    descriptor = os.open(_notes_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())  # one write, so that lines of several processes do not mix
    os.close(descriptor)


class JsonLines(logging.Formatter):
    """A record with everything in it, `extra` included."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        line = {"level": record.levelname, "said": record.getMessage(), "trace": trace, "at": record.created}
        return json.dumps(line | facts, default=str)


class OneWrite(logging.Handler):
    """Appends each line with one write: several processes share the file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        os.write(self._descriptor, self.format(record).encode() + b"\n")


def settle(directory: str) -> None:
    """Log and notes go into this directory; the process ends with the test that started it."""
    global _notes_path  # noqa: PLW0603  callbacks call `note` without holding anything
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nothing survives a test run
    _notes_path = Path(directory, "notes")
    logging.basicConfig(level=logging.INFO, handlers=[OneWrite(Path(directory, "log"))])


def main() -> None:
    """Arguments: directory, module:program, port, settings as JSON."""
    directory, program, port, settings = sys.argv[1:]
    settle(directory)
    module, _, function = program.partition(":")
    server = Server("127.0.0.1", int(port), Settings(**json.loads(settings)))
    server.on("start", lambda server: note("ready", server.port))
    getattr(importlib.import_module(module), function)(server)
    server.start()
