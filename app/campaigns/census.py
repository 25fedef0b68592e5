"""Counts the audience of new shards: how many customers they had when their campaign was triggered.

A trigger is answered in milliseconds and cannot wait for it, so it happens right after it, while the tasks begin.
"""

from functools import partial

from sqlalchemy import Engine

from app.store import customers, shards
from app.store.faults import write


def count_audiences(database: Engine) -> int:
    """Count every open shard that is not counted yet, as of one moment; how many there were.

    What is sent, intended or rejected by then is added, so it does not matter how far a task got. Who was deleted
    between the trigger and this moment was never there.
    """
    # A snapshot, so that nothing moves between two counts; on SQLite every transaction is one.
    level = "SERIALIZABLE" if database.dialect.name == "sqlite" else "REPEATABLE READ"
    with database.connect().execution_options(isolation_level=level) as connection:
        uncounted = shards.uncounted(connection)
        left = customers.counts(connection, [(each.reached_id, each.to_id) for each in uncounted])
    for shard, count in zip(uncounted, left, strict=True):
        audience = shard.tally.met + count
        write(database, partial(shards.note_audience, shard=shard, audience=audience))
    return len(uncounted)
