"""Whose clock counts: the database's, wherever it has one."""

from typing import Any

from sqlalchemy.dialects import mysql

from app.store import messages


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
