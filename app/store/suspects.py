"""Which shards are suspect: their logs are compared with the database before anything is added."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.campaign import ShardState
from app.store.shards import is_shard
from app.store.tables import shards


def suspect_all(connection: Connection, campaign_id: int, owner: str, living: Collection[str] | None) -> None:
    """Logs of a campaign are compared with the database before anything is added: in the folder `owner` also those that
    were finished, elsewhere those that were not, in the `living` folders, or in all where these are not known. In one
    that is dead none is waited for, but one that was found to be damaged."""
    is_here = shards.c.owner == owner
    is_begun = shards.c.state != ShardState.FINISHED
    if living is not None:
        is_begun = sa.and_(is_begun, shards.c.owner.in_(["", *sorted(living)]))
    its = sa.and_(shards.c.campaign_id == campaign_id, sa.or_(is_here, is_begun))
    connection.execute(shards.update().where(its).values(state=ShardState.SUSPECT))


def suspect_one(connection: Connection, campaign_id: int, number: int, owner: str) -> None:
    """This one is damaged in the folder `owner`, and left to that."""
    its = sa.and_(is_shard(campaign_id, number), shards.c.owner == owner, shards.c.state == ShardState.OPEN)
    connection.execute(shards.update().where(its).values(state=ShardState.SUSPECT))
