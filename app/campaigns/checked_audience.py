"""An audience that somebody names, checked: whether everybody in it can be found, greeted, and told from others."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from app.domain.audience import CUSTOMERS, check_audience_name
from app.domain.sharding import IdRange
from app.errors import BadRequest
from app.store import audiences

HIGHEST_ID = 2**32 - 1
"""That a record of ours can hold."""


def check_audience(connection: Connection, audience: str) -> str:
    """The name, of which everything is right but perhaps the ids; see `check_ids`. Raises BadRequest."""
    name = check_audience_name(audience)
    if name == CUSTOMERS:
        return name
    if audiences.is_ours(name):
        raise BadRequest("bad_audience.ours", audience=name)
    if problem := audiences.problem(connection, name):
        raise BadRequest(problem.code, **problem.facts)
    return name


def checked_audience(database: Engine, audience: str) -> str:
    """The same by a connection of its own."""
    with database.connect() as connection:
        return check_audience(connection, audience)


def check_ids(connection: Connection, audience: str, ranges: Sequence[IdRange]) -> None:
    """Raises BadRequest where somebody has no id, and where one stands twice: of those who share it one would be
    forgotten. A table keeps that out itself; a view is read, which takes a second for two million."""
    if audience == CUSTOMERS:
        return
    if audiences.lacks_ids(connection, audience):
        raise BadRequest("bad_audience.no_ids", audience=audience)
    if audiences.has_unique_ids(connection, audience):
        return
    for each in ranges:
        if (twice := audiences.repeated_id(connection, audience, each.after_id, each.to_id)) is not None:
            raise BadRequest("bad_audience.twice", audience=audience, id=twice)
