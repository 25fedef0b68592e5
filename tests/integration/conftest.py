"""An open database, for tests of its schema."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from app.store.database import open_database


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """To an empty database without tables, on every kind that we support."""
    engine = open_database(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
