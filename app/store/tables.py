"""The tables as SQLAlchemy sees them; migrations/ makes them, a test keeps the two alike."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()

Id = sa.Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")
"""A customer's id: 1 to 4,294,967,295."""

ExactName = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
"""Compared character by character; MySQL's default would take `Été` and `ete` for one name."""


GENDER_CHECK = "customers_gender"
"""What refuses a gender that is neither 0, 1 nor NULL: a CHECK, on SQLite two triggers whose names begin so. Customers
from before may have kept it from being made; see migrations/gender_check.py."""


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


customers = sa.Table(
    "customers",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("gender", sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")),
    sa.Column("mobile", sa.String(20), nullable=False),
    sa.Column("created_at", sa.TIMESTAMP(), nullable=False, server_default=sa.func.current_timestamp()),
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", ExactName, nullable=False, unique=True),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("allow_duplicates", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("prepared_at", UtcTime),
    sa.Column("halted_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("halted_since_ms", sa.BigInteger),
)
"""Without `allow_duplicates` nothing is sent before `prepared_at` says that the duplicates are known. `halted_ms` is
for how long it was paused or failed before it went on or was cancelled; since `halted_since_ms` (Unix time) it is so
again."""

shards = sa.Table(
    "shards",
    metadata,
    sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("after_id", sa.BigInteger, nullable=False),
    sa.Column("to_id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.Integer, nullable=False),
    sa.Column("male", sa.Integer, nullable=False),
    sa.Column("female", sa.Integer, nullable=False),
    sa.Column("unknown", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False, server_default="0"),
    sa.Column("audience", sa.Integer),
    sa.Column("log_bytes", sa.BigInteger, nullable=False),
    sa.Column("work_ms", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
)
"""One range of ids, `after_id < id <= to_id`, and how far it got: every id up to `last_id` is in the first
`log_bytes` bytes of its log or, `rejected` of them, in the table `rejects`. `audience` is how many customers it had
when the campaign was triggered, NULL until they are counted. `owner` is the folder that has the log, '' is none yet;
one of its processes may be writing until `lease_until_ms` (Unix time), and at 0 none is: the log then ends at
`log_bytes`."""

rejects = sa.Table(
    "rejects",
    metadata,
    sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("customer_id", Id, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
)
"""Who was not greeted and why, see app/domain/reject.py. The customer may be gone since."""

duplicates = sa.Table(
    "duplicates",
    metadata,
    sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
    sa.Column("keepers", sa.LargeBinary),
    sa.Column("numbers", sa.LargeBinary),
)
"""Ids that are not sent because a lower one, the keeper, has the same number: up to 8,000 in a row, ascending, from
`first_id` to `last_id`; u32 each, little-endian. At the same places `keepers`, u32 each, and the number that they
shared, u64 each; NULL in campaigns from before these were known. A row for each would cost more than to find them."""

heirs = sa.Table(
    "heirs",
    metadata,
    sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("keeper_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("heir_id", sa.BigInteger),
)
"""Keepers of a number who got no message for it: deleted or changed before their turn. `heir_id` is who of those that
shared it gets the message; NULL as long as nobody does."""
