"""Words what a database says when it cannot be worked with: what is wrong, where, and what to do about it."""

from typing import NamedTuple

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from app.store.database import sqlite_file
from app.store.faults import reason

_MYSQL_PORT = 3306

_START_IT = "start it, or correct host and port in DATABASE_URL"
_SILENT = ("the database at {place} does not answer", _START_IT)
_SLOW = ("the database at {place} does not answer in time", _START_IT)
_UNKNOWN_HOST = ("the host {host} has no address", "correct the host in DATABASE_URL")
_NOT_LET_IN = ("the database at {place} does not let {user} in", "correct user and password in DATABASE_URL")
_FULL = ("the database at {place} has no connection left", "raise max_connections, or close others")
_MAY_NOT = ("{user} may not do this in {name} at {place}", "have GRANT ALL ON {name}.* given to it")
_OF_SERVER = {
    2002: _SILENT, 2003: _SILENT, 2006: _SILENT, 2013: _SILENT, 2005: _UNKNOWN_HOST,
    1045: _NOT_LET_IN, 1698: _NOT_LET_IN, 1040: _FULL, 1203: _FULL,
    1044: _MAY_NOT, 1142: _MAY_NOT, 1143: _MAY_NOT, 1227: _MAY_NOT,
    1049: (
        "the server at {place} has no database {name}",
        "make it (CREATE DATABASE {name} CHARACTER SET utf8mb4), or correct the name in DATABASE_URL",
    ),
    1130: ("the database at {place} lets nobody in from this machine", "make an account for this host"),
    1146: ("a table is missing in {name} at {place}", "run: python -m migrations"),
    2026: ("no TLS with the database at {place}: {text}", "see DATABASE_TLS and DATABASE_TLS_CA"),
}  # fmt: skip
"""By number: "Server Error Message Reference" and "Client Error Message Reference" of the MySQL 9 manual. MariaDB has
the same, and 1698 of its own."""
_OF_SQLITE = {
    "unable to open": ("the file {place} cannot be opened", "see who may write there, or correct DATABASE_URL"),
    "not a database": ("{place} is not a database of SQLite", "correct DATABASE_URL"),
    "readonly": ("{place} cannot be written to", "let this user write to the file and to its folder"),
    "disk is full": ("no room is left for {place}", "make some"),
    "locked": ("another program holds {place} for too long", "let it end its transaction"),
    "no such table": ("a table is missing in {place}", "run: python -m migrations"),
}
"""By words of SQLite's own text, which is the same since version 3.0."""
_UNKNOWN = ("the database at {place} refused: {text}", "")


class Trouble(NamedTuple):
    """What is wrong and what to do, without a full stop; `advice` is '' where nobody can give any."""

    said: str
    advice: str

    def __str__(self) -> str:
        return f"{self.said}; {self.advice}" if self.advice else self.said


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
        "user": address.username or "an account without a name",
        "name": address.database,
        "text": text,
    }
    kind = _kind_of_sqlite(text) if address.get_backend_name() == "sqlite" else _kind_of_server(error, text)
    return Trouble(*(sentence.format(**facts) for sentence in kind))


def _kind_of_server(error: BaseException, text: str) -> tuple[str, str]:
    args = getattr(getattr(error, "orig", None) or error, "args", ())
    kind = _OF_SERVER.get(args[0], _UNKNOWN) if args else _UNKNOWN
    if kind is _SILENT and "Errno -" in text:  # of getaddrinfo
        return _UNKNOWN_HOST
    return _SLOW if kind is _SILENT and "timed out" in text else kind


def _kind_of_sqlite(text: str) -> tuple[str, str]:
    return next((kind for words, kind in _OF_SQLITE.items() if words in text), _UNKNOWN)
