"""How the server's own log lines look: time, level, sentence, then the facts as key=value."""

import logging

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class PlainFormatter(logging.Formatter):
    """One line a record, facts from `extra` at its end; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(process)d %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        facts = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _OWN)
        line = super().formatMessage(record)
        return (f"{line} {facts}" if facts else line).replace("\n", "\\n")


def set_up() -> None:
    """Send everything from INFO up to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
