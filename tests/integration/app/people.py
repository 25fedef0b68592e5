"""Customers for tests, and what their logs must hold: worked out from the rows here, by none of the product's code."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from app.domain.greeting import PLACEHOLDERS
from migrations import gender_check

Row = tuple[int, str, int | None, str]
"""id, name, gender, mobile, as the table has them."""


EVERY_PLACEHOLDER = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
"""As a refusal lists them."""


def person(number: int, name: str = "张伟", gender: Any = 1) -> Row:
    """A customer with this id, and a mobile that tells it."""
    return (number, name, gender, f"138{number:08}")


def crowd(size: int) -> list[Row]:
    """Customers 1 to `size`, of every kind."""
    return [person(number, f"客户{number}号", (0, 1, None, 1)[number % 4]) for number in range(1, size + 1)]


def move_in(database: Engine, rows: Sequence[Row]) -> None:
    """Make these the only customers; one whose gender is none comes from before the table refused it."""
    if any(row[2] not in (0, 1, None) for row in rows):
        with database.begin() as connection:
            gender_check.remove(connection)
    # The driver's own statement: a table of some 100,000 rows is to take no more than a second.
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM customers"))
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        columns = ",".join([mark] * 4)
        if rows:
            insert = f"INSERT INTO customers (id, name, gender, mobile) VALUES ({columns})"
            connection.exec_driver_sql(insert, list(rows))


def greeting(row: Row) -> str:
    """The line of one customer."""
    _, name, gender, mobile = row
    title = "客户" if gender is None else "女士" if gender == 0 else "先生"
    return f"尊敬的手机号为{mobile}的{name.translate(_TO_SPACES)}_{title}_你好，然后xxxxxx省....\n"


_TO_SPACES = str.maketrans("\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029", " " * 10)


def expected_logs(rows: Iterable[Row], shard_size: int) -> dict[str, bytes]:
    """Every log of a campaign by its file's name; there is no shard in which nobody lives."""
    rows = sorted(rows)
    lines = defaultdict(list)
    for row in rows:
        lines[(row[0] - 1) // shard_size].append(greeting(row))
    return {f"task_{number}.log": "".join(some).encode() for number, some in lines.items()}


def logs_of(folder: Path, campaign: str) -> dict[str, bytes]:
    """Every file of a campaign by its name."""
    home = folder / campaign
    return {each.name: each.read_bytes() for each in home.iterdir()} if home.exists() else {}


ODD_NAMES = [
    "𠮷野家",
    "😀👩‍👩‍👧",
    "O'Brien",
    'say "hi"',
    "back\\slash\\",
    "100%s %d %%",
    "{mobile}{0}",
    "a\x1eb",
    "a\x1fb",
    "\x1e张",
    "\x1f张\x1f",
    "a\u2028b\x85c",
    "tab\tand\0nul",
    "é",
    "e\u0301",
    " spaces ",
    "名" * 64,
]
"""Names that a table may hold and that some layer could take for something else."""
