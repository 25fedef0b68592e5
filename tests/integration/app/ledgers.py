"""What must hold of a campaign with a ledger at any moment, looked at from outside."""

from sqlalchemy import Engine

from app.domain.delivery import Delivery
from app.store import messages, rejects
from app.store.campaigns import Campaign
from app.store.messages import Message
from app.store.shards import Shard
from tests.integration.app.campaigns import shards_of


def rows_of(database: Engine, campaign: Campaign) -> list[Message]:
    """Every row of the ledger, by id."""
    with database.connect() as connection:
        return messages.page(connection, campaign.id, 0, 2**32, 100_000)


def check(database: Engine, campaign: Campaign) -> Shard:
    """The counts are those of the rows, and add up; the first shard."""
    every = shards_of(database, campaign)
    for shard in every:
        tally = shard.tally
        with database.connect() as connection:
            counted = messages.counts(connection, campaign.id, shard.after_id, shard.to_id)
            rejected = len(rejects.between(connection, campaign.id, shard.number, shard.after_id, shard.to_id))
        for state in Delivery:
            if state is not Delivery.SUBMITTING:  # those of a chunk that is intended have no row yet
                assert tally.of(state) == counted.get(state, 0), state
        assert tally.submitting >= counted.get(Delivery.SUBMITTING, 0)
        assert tally.sent == sum(map(tally.of, Delivery)) == tally.male + tally.female + tally.neutral
        assert tally.rejected == rejected
        if tally.audience is not None:
            assert tally.met <= tally.audience
    return every[0]
