"""Whose clock counts: the database's, wherever it has one."""

import time
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

from sqlalchemy.dialects import mysql

from app.store import clock, messages


class Server:
    """What a connection to MySQL is asked."""

    dialect = mysql.dialect()

    def __init__(self) -> None:
        self.asked = ""

    def execute(self, statement: Any) -> list[Any]:
        self.asked = str(statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True}))
        return []


def test_what_is_tried_again_is_due_by_the_databases_clock_as_its_shard_is():
    server = Server()

    messages.due(server, 1, 0, 10, 5)

    assert "due_at <= utc_timestamp(3)" in server.asked


def test_what_is_due_at_once_is_so_by_the_databases_clock_however_long_that_took_to_answer(monkeypatch):
    def asked_slowly(_connection):
        time.sleep(0.1)
        return datetime.now(UTC)

    monkeypatch.setattr(clock, "asked", asked_slowly)
    now = clock.ticking(Mock())

    due_at = now()

    assert due_at <= datetime.now(UTC)
