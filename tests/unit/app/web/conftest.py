"""The application as a client meets it, on a database in a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app import config
from app.access import login, passwords, users
from app.access.passwords import Cost
from app.config import Config
from app.domain.rights import Role
from app.store.database import open_database
from app.web.application import make_application
from tests.ports import free_port
from tests.tables import give_tables
from tests.unit.app.web.visitors import PASSWORD


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Those of a web process with an empty database, whatever the environment says."""
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMS_PORT", str(free_port()))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'sms.db'}")
    return config.load()


@pytest.fixture
def database(settings: Config) -> Iterator[Engine]:
    """Its tables are empty."""
    database = open_database(settings.database_url.get_secret_value())
    give_tables(database)
    yield database
    database.dispose()


@pytest.fixture
def accounts(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """One for each role, named after it; passwords are looked at in no time."""
    cheap = Cost(16, 8, 1)
    monkeypatch.setattr(passwords.hashed, "__defaults__", (cheap,))
    monkeypatch.setattr(passwords, "COST", cheap)
    login._nobodys.cache_clear()
    for role in Role:
        users.add(database, role, role, PASSWORD)
    return database


@pytest.fixture
def client(settings: Config, database: Engine) -> Iterator[TestClient]:
    """Asks the application; what breaks in it becomes an answer, as it does for anybody."""
    with TestClient(
        make_application(settings, database), "http://127.0.0.1:8000", raise_server_exceptions=False
    ) as one:
        yield one
