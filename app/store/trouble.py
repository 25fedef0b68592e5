"""What a database means when it cannot be worked with: what is wrong, where, and what to do about it."""

from typing import NamedTuple

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as NoneFree

from app.sentence import Sentence
from app.store.database import sqlite_file
from app.store.faults import reason

_MYSQL_PORT = 3306

_OF_SERVER = {
    2002: "silent", 2003: "silent", 2006: "silent", 2013: "silent", 2005: "unknown_host",
    1045: "not_let_in", 1698: "not_let_in", 1040: "full", 1203: "full",
    1044: "may_not", 1142: "may_not", 1143: "may_not", 1227: "may_not",
    1290: "replica", 1792: "replica", 1836: "replica",
    1049: "no_database", 1130: "not_from_here", 1146: "no_table", 2026: "no_tls",
}  # fmt: skip
"""By number: "Server Error Message Reference" and "Client Error Message Reference" of the MySQL 9 manual. MariaDB has
the same, and 1698 of its own."""
_OF_SQLITE = {
    "unable to open": "cannot_open",
    "not a database": "no_sqlite",
    "readonly": "read_only",
    "disk is full": "no_room",
    "locked": "locked",
    "no such table": "no_table_in_file",
}
"""By words of SQLite's own text, which is the same since version 3.0."""
_OTHER = "other"


class Trouble(NamedTuple):
    """What is wrong and what to do; None where nobody can say."""

    said: Sentence
    advice: Sentence | None

    @property
    def is_known(self) -> bool:
        """Whether it is one of those that say something of the database, and nothing of a statement."""
        return self.advice is not None

    @property
    def sentence(self) -> Sentence:
        """Both in one."""
        return Sentence("with_advice", said=self.said, advice=self.advice) if self.advice else self.said


def where(address: URL) -> str:
    """Host and port, or the file; nothing of an account."""
    if address.get_backend_name() == "sqlite":
        return str(sqlite_file(address) or address.database)
    return f"{address.host or '127.0.0.1'}:{address.port or _MYSQL_PORT}"


def trouble(error: BaseException, url: str) -> Trouble:
    """What an error of the driver, or of SQLAlchemy around one, means with this DATABASE_URL."""
    address, text = make_url(url), reason(error)
    facts = {
        "place": where(address),
        "host": address.host or "127.0.0.1",
        "user": address.username or Sentence("nameless_account"),
        "name": address.database,
        "text": text,
    }
    kind = _kind_of_sqlite(text) if address.get_backend_name() == "sqlite" else _kind_of_server(error, text)
    if isinstance(getattr(error, "orig", None), NoneFree):
        kind = "crowded"
    advice = None if kind == _OTHER else Sentence(f"trouble_advice.{kind}", **facts)
    return Trouble(Sentence(f"trouble.{kind}", **facts), advice)


def _kind_of_server(error: BaseException, text: str) -> str:
    args = getattr(getattr(error, "orig", None) or error, "args", ())
    kind = _OF_SERVER.get(args[0], _OTHER) if args else _OTHER
    if kind == "silent" and "Errno -" in text:  # of getaddrinfo
        return "unknown_host"
    return "slow" if kind == "silent" and "timed out" in text else kind


def _kind_of_sqlite(text: str) -> str:
    return next((kind for words, kind in _OF_SQLITE.items() if words in text), _OTHER)
