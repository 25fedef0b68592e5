"""The engine's log lines: a fixed sentence, and what it is about both in the text and in the record's `extra`.

An operator reads the text, whatever formatter the program has; programs read the facts, each under its own key.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any


def get_logger(name: str) -> "Lines":
    """Return the logger of this name; what is given as `extra` is also at the end of the line."""
    return Lines(logging.getLogger(name), None)


class Lines(logging.LoggerAdapter[logging.Logger]):
    """`log.warning("child died", extra={"pid": 7})` reads `child died (pid=7)`."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if not self.isEnabledFor(level):
            return
        if facts := kwargs.get("extra"):
            sentence = str(msg) if args else str(msg).replace("%", "%%")
            msg, args = f"{sentence} (%s)", (*args, _Facts(facts))
        # the line is the caller's, not ours: 2 is what called log.info, whose own frames logging skips
        self.logger.log(level, msg, *args, stacklevel=kwargs.pop("stacklevel", 1) + 1, **kwargs)


class _Facts:
    """The facts of a line, made into text only where the line is formatted."""

    def __init__(self, facts: Mapping[str, object]) -> None:
        self._facts = facts

    def __str__(self) -> str:
        return " ".join(f"{name}={_text(value)}" for name, value in self._facts.items())

    __repr__ = __str__


def _text(value: object) -> str:
    """Return the value as text on one line, quoted where its end could not be seen."""
    text = str(value)
    return repr(text) if isinstance(value, str) and (not text.isprintable() or " " in text or not text) else text


class Few:
    """Limits lines that any client can cause: few of each kind are written, and the next one has how many were left
    out."""

    def __init__(self, log: Lines, most: int = 20, per_s: float = 10.0) -> None:
        """Write at most `most` lines of one sentence in `per_s` seconds."""
        self._log = log
        self._most = most
        self._per_s = per_s
        self._kinds: dict[str, tuple[float, int]] = {}
        """By sentence: when its time began, and how many there were since."""

    def info(self, sentence: str, extra: Mapping[str, object]) -> None:
        self._write(logging.INFO, sentence, extra)

    def warning(self, sentence: str, extra: Mapping[str, object]) -> None:
        self._write(logging.WARNING, sentence, extra)

    def _write(self, level: int, sentence: str, extra: Mapping[str, object]) -> None:
        began_at, count = self._kinds.get(sentence, (0.0, 0))
        left_out = 0
        if (now := time.monotonic()) >= began_at + self._per_s:
            left_out, began_at, count = max(0, count - self._most), now, 0
        self._kinds[sentence] = began_at, count + 1
        if count < self._most:
            facts = {**extra, "left_out": left_out} if left_out else extra
            self._log.log(level, sentence, extra=facts, stacklevel=3)
