"""Counts the audience of new shards: how many customers they had when their campaign was triggered.

A trigger is answered in milliseconds and cannot wait for it, so it happens right after it, while the tasks begin.
"""

import logging
from functools import partial

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.store import campaigns, customers, shards
from app.store.faults import is_no_table, write
from app.store.shards import Shard

log = logging.getLogger(__name__)


def count_audiences(database: Engine) -> int:
    """Count every open shard that is not counted yet, as of one moment; how many there were.

    What is sent, intended or rejected by then is added, so it does not matter how far a task got. Who was deleted
    between the trigger and this moment was never there.
    """
    # A snapshot, so that nothing moves between two counts; on SQLite every transaction is one.
    level = "SERIALIZABLE" if database.dialect.name == "sqlite" else "REPEATABLE READ"
    with database.connect().execution_options(isolation_level=level) as connection:
        uncounted = shards.uncounted(connection)
        audience_of = campaigns.audiences(connection, {each.campaign_id for each in uncounted})
        counted: list[tuple[Shard, int]] = []
        for name in sorted({*audience_of.values()}):
            some = [each for each in uncounted if audience_of[each.campaign_id] == name]
            try:
                left = customers.counts(connection, name, [(each.reached_id, each.to_id) for each in some])
            except DBAPIError as error:  # somebody took the table away, which is nothing to the other ones
                if error.connection_invalidated or not is_no_table(error):
                    raise
                log.warning("audience is not there, its shards are not counted", extra={"audience": name})
                continue
            counted += zip(some, left, strict=True)
    for shard, count in counted:
        audience = shard.tally.met + count
        write(database, partial(shards.note_audience, shard=shard, audience=audience))
    return len(uncounted)
