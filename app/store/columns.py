"""What the tables are made of: their schema, and kinds of columns that several have."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()

Id = sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")
"""A customer's id: 1 to 4,294,967,295."""

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""One that the database gives out; SQLite does so for its INTEGER alone."""

ExactName = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
"""Compared character by character; MySQL's default would take `Été` and `ete` for one name."""


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware datetime in UTC, stored without its zone, to the millisecond."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=3))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None
