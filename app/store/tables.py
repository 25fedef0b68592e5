"""The tables as SQLAlchemy sees them; migrations/ makes them, a test keeps the two alike."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

import app.store.access_tables
import app.store.gateway_tables  # noqa: F401  they are in the same schema
from app.store import columns
from app.store.columns import ExactName, Id, RowId, UtcTime

metadata = columns.metadata

GENDER_CHECK = "customers_gender"
"""What refuses a gender that is neither 0, 1 nor NULL: a CHECK, on SQLite two triggers whose names begin so. Customers
from before may have kept it from being made; see migrations/gender_check.py."""

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
    sa.Column("finished_at", UtcTime, index=True),
    sa.Column("allow_duplicates", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("prepared_at", UtcTime),
    sa.Column("halted_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("halted_since_ms", sa.BigInteger),
    sa.Column("gateway", ExactName, nullable=False, server_default="log"),
    sa.Column("template_name", ExactName, nullable=False, server_default=""),
    sa.Column("receipts_for_s", sa.Integer, nullable=False, server_default="259200"),
    sa.Column("pruned_at", UtcTime),
    sa.Column("audience", ExactName, nullable=False, server_default="customers"),
    sa.Column("chosen", ExactName, nullable=False, server_default=""),
)
"""Without `allow_duplicates` nothing is sent before `prepared_at` says that the duplicates are known. `halted_ms` is
for how long it was paused or failed before it went on or was cancelled; since `halted_since_ms` (Unix time) it is so
again. `receipts_for_s` is for how long after `finished_at` it goes on learning from receipts, as its gateway had it at
the trigger. Since `pruned_at` nobody counts on anything of it but this row and those of its shards.
`audience` is the table or view of those whom it greets: a customer is whoever stands there, by the ids of it alone.
`chosen` is '' where it is for all of them; else it is for those in the table `chosen`, and says how they were chosen,
see app/domain/choice.py."""


def _of_campaign() -> sa.Column[int]:
    """The first part of the key of what goes with its campaign."""
    return sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)


shards = sa.Table(
    "shards",
    metadata,
    _of_campaign(),
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
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("intended_id", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("due_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("submitting", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry", sa.Integer, nullable=False, server_default="0"),
    sa.Column("accepted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("delivered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("undelivered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("expired", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused", sa.Integer, nullable=False, server_default="0"),
    sa.Column("in_doubt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("late", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""One range of ids, `after_id < id <= to_id`, and how far it got: every id up to `last_id` is in the first
`log_bytes` bytes of its log or, `rejected` of them, in the table `rejects`. `audience` is how many customers it had
when the campaign was triggered, NULL until they are counted. `owner` is the folder that has the log, '' is none yet;
one of its processes may be writing until `lease_until_ms` (Unix time), and at 0 none is: the log then ends at
`log_bytes`. Where it went from one folder to another, `log_parts` tells what lies where, and `log_bytes` is of the log
in the folder of `owner`.

A shard of a ledger campaign has no log. `owner` is the task that has it, and `epoch` counts those who had it. Ids up to
`last_id` are in `messages` or in `rejects`; those from there to `intended_id` are in `intents`, or in `rejects`. From
`submitting` to `in_doubt` (the state `unknown`) are how many of its messages are in which state; `sent` is their sum.
Before `due_ms` (Unix time) there is nothing to do for it.

A `late` one has those in the table `late` alone, and the others of the campaign do not have them."""

log_parts = sa.Table(
    "log_parts",
    metadata,
    _of_campaign(),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("folder", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("first_id", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.BigInteger),
    sa.Column("from_byte", sa.BigInteger, nullable=False),
    sa.Column("to_byte", sa.BigInteger),
    sa.Column("sent", sa.Integer, nullable=False, server_default="0"),
    sa.Column("male", sa.Integer, nullable=False, server_default="0"),
    sa.Column("female", sa.Integer, nullable=False, server_default="0"),
    sa.Column("unknown", sa.Integer, nullable=False, server_default="0"),
    sa.Column("to_cut", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_log_parts_folder", "folder", "to_cut"),
)
"""Where a shard's messages lie: those to `first_id <= id <= last_id` from `from_byte` to `to_byte` in its log in that
folder, on that host ('' where it was not noted). The last part of a shard, its owner's, is open: `last_id` and
`to_byte` are NULL, and it goes as far as the shard's own row says; the counts are those of a part that is not.
`to_cut`: who wrote it was not there when somebody else took the shard up, and may have written on; what stands in that
folder behind the record counts for nothing, and is cut off when its server is back."""

late = sa.Table(
    "late",
    metadata,
    _of_campaign(),
    sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
    sa.Column("not_sent", sa.LargeBinary, nullable=False),
)
"""Customers who were not there yet when their turn passed, and are in a shard of their own: up to 8,000 ids in a row,
ascending from `first_id`, u32 each, little-endian; `not_sent` are those among them whose number has a message."""

chosen = sa.Table(
    "chosen",
    metadata,
    _of_campaign(),
    sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
)
"""Whom a campaign is for that is not for all of its audience: those of the ids it was given who were there at the
trigger, or its sample. Up to 8,000 in a row, ascending, from `first_id` to `last_id`; u32 each, little-endian."""

id_lists = sa.Table(
    "id_lists",
    metadata,
    sa.Column("name", ExactName, primary_key=True),
    sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
    sa.Column("made_at", UtcTime, nullable=False),
)
"""Ids that a command was given, on their way to a trigger that names them; packed as in `chosen`. They are removed when
the command is done, those of one that was killed a day later."""

rejects = sa.Table(
    "rejects",
    metadata,
    _of_campaign(),
    sa.Column("customer_id", Id, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
)
"""Who was not greeted and why, see app/domain/reject.py. The customer may be gone since."""

duplicates = sa.Table(
    "duplicates",
    metadata,
    _of_campaign(),
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
    _of_campaign(),
    sa.Column("keeper_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("heir_id", sa.BigInteger),
)
"""Keepers of a number who got no message for it: deleted or changed before their turn. `heir_id` is who of those that
shared it gets the message; NULL as long as nobody does."""

messages = sa.Table(
    "messages",
    metadata,
    _of_campaign(),
    sa.Column("customer_id", Id, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("mobile", sa.BigInteger, nullable=False, index=True),
    sa.Column("parts", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("provider_id", ExactName, index=True),
    sa.Column("error", sa.String(64), nullable=False),
    sa.Column("submitted_at", UtcTime, nullable=False),
    sa.Column("due_at", UtcTime),
    sa.Column("final_at", UtcTime),
)
"""The ledger: what became of each message, see app/domain/delivery.py. `mobile` is the number that it went to, whatever
the customer has now; `provider_id` what the gateway calls it; `error` its own code for why not. Whoever changes the
state of one changes the counts of its shard in the same transaction, see app/store/ledger.py."""

message_parts = sa.Table(
    "message_parts",
    metadata,
    sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("customer_id", Id, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("provider_id", ExactName, nullable=False, index=True),
    sa.Column("delivered", sa.Boolean, nullable=False),
    sa.ForeignKeyConstraint(
        ["campaign_id", "customer_id"], ["messages.campaign_id", "messages.customer_id"], ondelete="CASCADE"
    ),
)
"""What the gateway calls the parts of a message that it has several ids for, the one in `messages` among them; `number`
is from 1. Such a message is delivered once every part of its last attempt is. Rows stay when their receipt came, so
that a second one is told from one that nobody asked for. Of a message that came into doubt without them they are made
by the first receipt, with the ids that receipts bring; see app/store/parts.py."""

intents = sa.Table(
    "intents",
    metadata,
    _of_campaign(),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("after_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("to_id", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("ids", sa.LargeBinary, nullable=False),
    sa.Column("mobiles", sa.LargeBinary, nullable=False),
    sa.Column("parts", sa.LargeBinary, nullable=False),
)
"""Who may have been submitted to and has no row in `messages` yet: a chunk of a shard, written before its first byte
leaves and removed when its outcome is on record. Customers may be edited or deleted at any time, so their numbers are
here. `ids` u32, `mobiles` u64, little-endian, `parts` u8; at the same places, ids ascending."""

early_receipts = sa.Table(
    "early_receipts",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("gateway", ExactName, nullable=False),
    sa.Column("provider_id", ExactName, nullable=False),
    sa.Column("mobile", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("error", sa.String(64), nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reference", sa.String(64), nullable=False, server_default=""),
    sa.Index("ix_early_receipts_provider_id", "provider_id"),
)
"""Receipts of messages whose id is not on record yet; looked at again until it is, or they are too old. `counted`: in
`gateway_totals`, as one whose message is not known. `reference`: see app/domain/receipt.py."""

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("gateway", ExactName, nullable=False),
    sa.Column("mobile", sa.BigInteger, nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
)
"""What people answered."""

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("provider_id", ExactName, primary_key=True),
    sa.Column("submitted_at", UtcTime, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("error", sa.String(64), nullable=False),
)
"""Messages that somebody sent to see whether a gateway works, by the gateway's ids of their parts; in no campaign."""

opt_outs = sa.Table(
    "opt_outs",
    metadata,
    sa.Column("signature", ExactName, primary_key=True),
    sa.Column("mobile", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Index("ix_opt_outs_mobile", "mobile"),
)
"""Numbers to which nothing is sent under a signature; `*` is all of them. `source`: reply, person or import."""

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("next_free_us", sa.BigInteger, nullable=False, server_default="0"),
)
"""Of each gateway with a rate: up to when it is spoken for, Unix time in microseconds, by the database's clock."""

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", ExactName, primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("until_ms", sa.BigInteger, nullable=False),
)
"""What one process of all hosts does at a time, and until when it is taken to be alive (Unix time); see
app/campaigns/leased.py."""

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("text", sa.Text, nullable=False),
)
"""What workers on other hosts have to say to the scheduler, as app/runners/orders.py writes it; read once."""

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("host", ExactName, primary_key=True),
    sa.Column("process", ExactName, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("places", sa.Integer, nullable=False),
    sa.Column("in_hand", sa.Integer, nullable=False),
    sa.Column("clock_ms", sa.BigInteger, nullable=False),
    sa.Column("seen_ms", sa.BigInteger, nullable=False),
    sa.Column("folder", sa.String(255)),
)
"""Processes that said at `seen_ms` (Unix time, by the database) that they are there; their host's clock was `clock_ms`
ahead of the database's then. `folder` is the name of a worker's folder of logs, '' where it has none; NULL: it is of a
release that does not say so. One that stopped in order stays for a day, as a `kind` of its own."""

binds = sa.Table(
    "binds",
    metadata,
    sa.Column("gateway", ExactName, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
)
"""Who has which of a gateway's sending sessions, for an operator allows so many and no more."""

progress_samples = sa.Table(
    "progress_samples",
    metadata,
    _of_campaign(),
    sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("done_ids", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("delivered", sa.Integer, nullable=False),
    sa.Column("moved_at_s", sa.BigInteger, nullable=False),
)
"""How far a campaign was while it ran, every ten seconds (`at_s`, Unix time by the database's clock), thinned out
later: what charts are drawn from. `sent` is Tally.shown_as_sent; since `moved_at_s` it
has run and nothing of it has changed."""

trail = sa.Table(
    "trail",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("who", sa.String(128), nullable=False),
    sa.Column("via", sa.String(16), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("deed", sa.String(32), nullable=False),
    sa.Column("campaign", ExactName, nullable=False, index=True),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("facts_before", sa.Text, nullable=False),
    sa.Column("facts_after", sa.Text, nullable=False),
)
"""Who did what, and from where: see app/domain/actor.py. Nothing is ever changed or removed here. `campaign` is a name,
'' where there is none; the facts are JSON, how it was before and how it is since."""
