"""app/store/trouble.py: what is wrong with a database, where, and what to do."""

import sqlite3

import pymysql
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from app.store.trouble import trouble, where
from tests.words import words

URL = "mysql+pymysql://sms:p%40ss@db.example:3307/texts"
REFUSED = "Can't connect to MySQL server on 'db.example' ([Errno 111] Connection refused)"
TIMED_OUT = "Can't connect to MySQL server on 'db.example' (timed out)"
NO_ADDRESS = "Can't connect to MySQL server on 'db.example' ([Errno -2] Name or service not known)"


def of_server(number: int, text: str) -> str:
    error = OperationalError("SELECT secret", {"id": 1}, pymysql.err.OperationalError(number, text))
    return words(trouble(error, URL).sentence)


@pytest.mark.parametrize(
    ("number", "text", "said", "advice"),
    [
        (2003, REFUSED, "db.example:3307 does not answer;", "start it, or correct host and port in DATABASE_URL"),
        (2003, TIMED_OUT, "db.example:3307 does not answer in time;", "start it"),
        (2013, "Lost connection to MySQL server during query", "db.example:3307 does not answer;", "start it"),
        (2003, NO_ADDRESS, "the host db.example has no address;", "correct the host in DATABASE_URL"),
        (2005, "Unknown MySQL server host", "the host db.example has no address;", "correct the host"),
        (1045, "Access denied for user", "db.example:3307 does not let sms in;", "user and password in DATABASE_URL"),
        (1049, "Unknown database 'texts'", "has no database texts;", "CREATE DATABASE texts CHARACTER SET utf8mb4"),
        (1044, "Access denied", "sms may not do this in texts at db.example:3307;", "GRANT ALL ON texts.*"),
        (1146, "Table 'texts.shards' doesn't exist", "a table is missing in texts", "run: python -m migrations"),
        (1290, "The MySQL server is running with the --super-read-only option", "is read-only;", "it is a replica"),
        (1836, "Running in read-only mode", "db.example:3307 is read-only;", "about to be promoted"),
        (1040, "Too many connections", "has no connection left;", "max_connections"),
    ],
)
def test_each_cause_has_its_place_and_its_remedy(number: int, text: str, said: str, advice: str) -> None:
    sentence = of_server(number, text)

    assert said in sentence
    assert advice in sentence
    assert "secret" not in sentence
    assert "p@ss" not in sentence
    assert "p%40ss" not in sentence


def test_what_is_not_known_is_told_in_the_words_of_the_driver() -> None:
    assert of_server(1064, "You have an error") == "the database at db.example:3307 refused: 1064 You have an error"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unable to open database file", "the file /srv/sms.db cannot be opened; check who may write there"),
        ("file is not a database", "/srv/sms.db is not a database of SQLite; correct DATABASE_URL"),
        ("attempt to write a readonly database", "/srv/sms.db cannot be written to; let this user write"),
        ("database or disk is full", "no room is left for /srv/sms.db; free some space"),
        ("database is locked", "another program holds /srv/sms.db for too long"),
        ("no such table: shards", "a table is missing in /srv/sms.db; run: python -m migrations"),
        ("strange", "the database at /srv/sms.db refused: strange"),
    ],
)
def test_a_file_has_causes_of_its_own(text: str, said: str) -> None:
    error = OperationalError("SELECT 1", {}, sqlite3.OperationalError(text))

    assert words(trouble(error, "sqlite:////srv/sms.db").sentence).startswith(said)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (URL, "db.example:3307"),
        ("mysql://sms@/sms", "127.0.0.1:3306"),
        ("sqlite:////srv/sms.db", "/srv/sms.db"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_where_a_database_is_names_nobody(url: str, place: str) -> None:
    assert where(make_url(url)) == place
