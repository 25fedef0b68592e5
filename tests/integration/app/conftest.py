"""Databases with tables, servers, and the commands."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app import catalogue, console
from app.cli import main as commands
from app.store.database import open_database
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product
from tests.integration.app.terminal import Ended, Run
from tests.ports import free_port

CROWD = crowd(40)
SHARD_SIZE = 10


@pytest.fixture
def database(migrated_url: str) -> Iterator[Engine]:
    """Tables without rows, on every kind of database."""
    engine = open_database(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    """Tables without rows, on SQLite."""
    with with_tables(sqlite_url) as engine:
        yield engine


@pytest.fixture
def mysql(migrated_mysql_url: str) -> Iterator[Engine]:
    """Tables without rows, on MySQL."""
    engine = open_database(migrated_mysql_url)
    yield engine
    engine.dispose()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder for logs that does not exist yet."""
    return tmp_path / "logs"


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are sent three messages at a time, so that a test can step in between."""
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 3)


@pytest.fixture
def product(migrated_url: str, tmp_path: Path) -> Iterator[Product]:
    """Not running yet, without customers; on every kind of database."""
    with Product(migrated_url, tmp_path, shard_size=SHARD_SIZE) as product:
        yield product


@pytest.fixture
def running(product: Product) -> Product:
    """A server of one test with four shards to send; on every kind of database."""
    move_in(product.database, CROWD)
    product.start()
    return product


@pytest.fixture
def gateways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`gateways(text)` makes this the file of gateways; all have the password s3cret, in SMPP_A_PASSWORD."""
    monkeypatch.setenv("SMPP_A_PASSWORD", "s3cret")

    def write(text: str) -> Path:
        path = tmp_path / "gateways.toml"
        path.write_text(text)
        monkeypatch.setenv("SMS_GATEWAYS", str(path))
        return path

    return write


@pytest.fixture
def app(sqlite: Engine, logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`app("status")` is `python -m app status`, on a port where nobody listens."""
    monkeypatch.setenv("DATABASE_URL", str(sqlite.url))
    monkeypatch.setenv("SMS_LOG_DIR", str(logs))
    monkeypatch.setenv("SMS_HOST", "127.0.0.1")
    monkeypatch.setenv("SMS_PORT", str(free_port()))
    monkeypatch.setattr(logging.root, "handlers", [])  # `serve` sets up its own, which is not to outlive the test
    monkeypatch.setattr(logging.root, "level", logging.root.level)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["app", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            console.run(commands.cli)
            raise SystemExit(0)
        code = ending.value.code
        assert isinstance(code, int | None)
        return Ended(code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands speak Chinese."""
    monkeypatch.setenv("SMS_LANGUAGE", "zh")
    catalogue.ours.cache_clear()
    yield
    catalogue.ours.cache_clear()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One running server with four shards to send, on SQLite, for every test that brings names of its own."""
    home = tmp_path_factory.mktemp("product")
    url = f"sqlite:///{home / 'sms.db'}"
    with with_tables(url), Product(url, home, shard_size=SHARD_SIZE) as product:
        move_in(product.database, CROWD)
        product.start()
        yield product
