"""Databases for every test that asks: `database_url` runs a test on SQLite, MySQL and MariaDB."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from app.store.database import open_database
from tests import databases
from tests.databases import NoServer, Server
from tests.keeper import kept
from tests.rabbit import Broker, rabbit
from tests.reused import Reused
from tests.tables import give_tables

pytest_plugins = ["tests.together"]

os.environ["SMS_LANGUAGE"] = "en"  # whatever the developer speaks

MYSQL = pytest.param("mysql", marks=pytest.mark.mysql)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'sms.db'}"


@pytest.fixture(scope="session")
def mysql_server(shared_folder: Path) -> Iterator[Server]:
    """One server for the whole run; `tests/databases.py` says where it comes from."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(kept("mysql", shared_folder))
        except NoServer as reason:
            missing(f"no MySQL ({reason}): set TEST_DATABASE_URL, start Docker, or install mysqld")
        yield server


@pytest.fixture
def mysql_url(mysql_server: Server) -> Iterator[str]:
    """A new, empty schema."""
    with mysql_server.schema() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_server(shared_folder: Path) -> Iterator[Server]:
    """A private MariaDB, one for the whole run."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(kept("mariadb", shared_folder))
        except NoServer as reason:
            pytest.skip(str(reason))
        yield server


@pytest.fixture
def own_mariadb() -> Iterator[Server]:
    """One of the test's own, whose settings it may change."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(databases.mariadb_server())
        except NoServer as reason:
            pytest.skip(str(reason))
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: Server) -> Iterator[str]:
    """A new, empty schema."""
    with mariadb_server.schema() as url:
        yield url


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A private RabbitMQ, for all tests of a process; whoever stops it starts it again."""
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(rabbit())
        except NoServer as reason:
            missing(str(reason))
        yield broker


@pytest.fixture(params=["sqlite", MYSQL, "mariadb"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each that we support."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """An empty database without tables, once on each kind."""
    return str(request.getfixturevalue(f"{database_kind}_url"))


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """One with the newest tables, empty, once on each kind."""
    return str(request.getfixturevalue(f"migrated_{database_kind}_url"))


@pytest.fixture
def migrated_sqlite_url(sqlite_url: str) -> str:
    engine = open_database(sqlite_url)
    give_tables(engine)
    engine.dispose()
    return sqlite_url


@pytest.fixture(scope="session")
def reused_mysql(mysql_server: Server) -> Iterator[Reused]:
    with Reused(mysql_server) as reused:
        yield reused


@pytest.fixture(scope="session")
def reused_mariadb(mariadb_server: Server) -> Iterator[Reused]:
    with Reused(mariadb_server) as reused:
        yield reused


@pytest.fixture
def migrated_mysql_url(reused_mysql: Reused) -> Iterator[str]:
    """A schema with the newest tables, empty."""
    with reused_mysql.schema() as url:
        yield url


@pytest.fixture
def migrated_mariadb_url(reused_mariadb: Reused) -> Iterator[str]:
    """A schema with the newest tables, empty."""
    with reused_mariadb.schema() as url:
        yield url


def missing(what: str) -> NoReturn:
    """A developer may be without it; CI may not."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
