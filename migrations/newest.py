"""The newest revision as the files of the steps say, and that of a database, without Alembic in memory."""

import re
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

_REVISION, _BEFORE = (re.compile(rf'^{name} = "(\w+)"$', re.MULTILINE) for name in ("revision", "down_revision"))


@cache
def newest() -> str:
    """That which none follows."""
    texts = [path.read_text("utf-8") for path in sorted(Path(__file__).with_name("versions").glob("[0-9]*.py"))]
    before = {found[1] for text in texts if (found := _BEFORE.search(text))}
    (last,) = {found[1] for text in texts if (found := _REVISION.search(text))} - before
    return last


def status(connection: Connection) -> tuple[str, str]:
    """The revision of the database, '' without one, and the newest."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return "", newest()
    current = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(current or ""), newest()
