"""What the tests of the seed share: starting it, and looking at what it did."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from app.store.database import open_database
from seed import customers, loader, profile
from seed.customers import Row
from tests import starting
from tests.waiting import until

ROOT = Path(__file__).parents[2]
WITHIN_S = 100.0
"""One that follows a seed that was killed waits until the database has undone what that wrote."""
LONG = 1_000_000
"""Customers that take seconds, so that a signal comes in between."""


def start(url: str, *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """To be talked with, as it stands on a command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "seed", *options],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return starting.run(["-m", "seed", *options], os.environ | {"DATABASE_URL": url}, within_s=WITHIN_S)


def fill(url: str, count: int, seed: int = 42) -> None:
    """What the command does, without a process."""
    engine = open_database(url, local_infile=True)
    people = customers.chunks(profile.zh_cn(), seed, count)
    loader.fill(engine, people, reset=False, say=lambda _: None, on_added=lambda _: None)
    engine.dispose()


def made_up(count: int, seed: int = 42) -> list[Row]:
    return list(chain.from_iterable(customers.chunks(profile.zh_cn(), seed, count)))


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = open_database(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def rows_in(url: str) -> list[Row]:
    with connected(url) as connection:
        found = connection.execute(sa.text("SELECT id, name, gender, mobile FROM customers ORDER BY id"))
        return [(id_, name, gender, mobile) for id_, name, gender, mobile in found]


def count_in(url: str) -> int:
    with connected(url) as connection:
        return connection.execute(sa.text("SELECT COUNT(*) FROM customers")).scalar_one()


def in_the_middle(url: str, *options: str) -> subprocess.Popen[str]:
    """A seed of LONG that has begun to write."""
    process = start(url, "--customers", str(LONG), *options)
    until(lambda: _is_writing(url), what="rows are written")
    return process


def _is_writing(url: str) -> bool:
    """Rows are on their way that nobody else can see yet."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        log = Path(f"{address.database}-wal")
        return log.exists() and log.stat().st_size > 2_000_000
    try:
        return not _has_rows(url, "READ COMMITTED") and _has_rows(url, "READ UNCOMMITTED")
    except OperationalError:  # we were chosen to give way to it
        return False


def _has_rows(url: str, isolation: str) -> bool:
    with connected(url) as connection:
        connection.execution_options(isolation_level=isolation)
        if not sa.inspect(connection).has_table("customers"):
            return False
        return connection.execute(sa.text("SELECT id FROM customers LIMIT 1")).first() is not None
