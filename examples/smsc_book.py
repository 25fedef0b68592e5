"""What the demo message centre writes down: every submission, and which receipts are owed."""

import os
import time
from pathlib import Path
from typing import NamedTuple

_BLANKS = str.maketrans("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", " " * 11)


class Owed(NamedTuple):
    """A receipt that somebody waits for."""

    message_id: int
    system_id: str
    number: str
    source: str
    state: int
    form: str


class Book:
    """The log at `path`, and beside it `path`.receipts, by which receipts outlive the message centre.

    A line a submission: time (UTC), system id, destination, message id, reference, text. The id is empty where the
    submission was refused. A blank that would end a line or a column is a space. What is noted is written by `write`.
    """

    def __init__(self, path: Path) -> None:
        self._log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        receipts = path.with_name(path.name + ".receipts")
        self.left_over = _left_over(receipts)
        """Receipts that a former life owed."""
        self._receipts = os.open(receipts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines: list[str] = []
        self._receipt_lines: list[str] = []
        self._second = 0
        self._second_text = ""

    def note(self, at: float, system_id: str, number: str, message_id: str, reference: str, text: str) -> None:
        """A submission."""
        second = int(at)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        when = f"{self._second_text}.{int((at - second) * 1e6):06}Z"
        said = text if text.isprintable() else text.translate(_BLANKS)
        self._lines.append(f"{when}\t{system_id}\t{number}\t{message_id}\t{reference}\t{said}\n")

    def owe(self, owed: Owed) -> None:
        """A receipt will be sent."""
        self._receipt_lines.append("owed\t" + "\t".join(map(str, owed)) + "\n")

    def settle(self, message_id: int) -> None:
        """A receipt was acknowledged."""
        self._receipt_lines.append(f"done\t{message_id}\n")

    def write(self) -> None:
        """Write what was noted. Lines of one call are whole, or missing at the end."""
        for file, lines in ((self._log, self._lines), (self._receipts, self._receipt_lines)):
            if lines:
                _write_whole(file, "".join(lines).encode("utf-8", "replace"))
                lines.clear()


def _write_whole(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _left_over(path: Path) -> list[Owed]:
    owed: dict[str, Owed] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            match line.split("\t"):
                case ["owed", message_id, system_id, number, source, state, form]:
                    owed[message_id] = Owed(int(message_id), system_id, number, source, int(state), form)
                case ["done", message_id]:
                    owed.pop(message_id, None)
    return list(owed.values())
