"""How the server's own log lines look, and that no mobile is readable in them.

Nobody logs a mobile on purpose; an error of the database, say, may quote one.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from app.domain.mobile import mask

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {key: _masked(value) for key, value in vars(record).items() if key not in _OWN}


def _masked(value: Any) -> Any:
    """The same value, or its text when a mobile stands in that."""
    text = str(value)
    return value if (safe := mask(text)) == text else safe


def _time(record: logging.LogRecord) -> str:
    """In UTC, and saying so: lines of hosts in several zones, or of one whose clocks are put back, stay in order."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _says(sentence: str, key: str) -> bool:
    return f"({key}=" in sentence or f" {key}=" in sentence


class PlainFormatter(logging.Formatter):
    """Time (UTC), level, process and sentence on one line, facts from `extra` at its end as key=value, unless the
    sentence has them already, as the engine's do; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(process)d %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        facts = " ".join(f"{key}={value}" for key, value in _facts(record).items() if not _says(record.message, key))
        line = super().formatMessage(record)
        return (f"{line} {facts}" if facts else line).replace("\n", "\\n")


class JsonFormatter(logging.Formatter):
    """An object a line, for programs: `time` (UTC), `level`, `pid`, `logger`, `message`, `traceback` where there is
    one, and the facts from `extra` beside them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            **_facts(record),
            "time": _time(record),
            "level": record.levelname,
            "pid": record.process,
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = mask(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def _in_one_line(record: logging.LogRecord) -> bool:
    """SQLAlchemy shows where in itself it was when a connection that broke could not be put back. It makes another."""
    if record.name.startswith("sqlalchemy.pool") and record.exc_info and (error := record.exc_info[1]):
        record.exc_info = None
        record.error = " ".join(map(str, error.args))
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


_FORMATTERS: dict[str, type[logging.Formatter]] = {"plain": PlainFormatter, "json": JsonFormatter}


def set_up(form: Literal["plain", "json"]) -> None:
    """Send everything from INFO up to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTERS[form]())
    handler.addFilter(_in_one_line)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
