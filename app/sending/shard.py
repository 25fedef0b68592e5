"""A shard from its order to the outcome: whose it is, by which strategy it is sent, and how that ended."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.campaigns.finish import fail
from app.domain.campaign import LOG
from app.domain.orders import Outcome, Rejected, ShardOrder, ShardReport
from app.errors import ConfigError, GatewayAway, GatewayFault, LogDamaged, LogUnusable, ShardTaken
from app.gateways.base import Network
from app.sending.journal import Journal
from app.sending.ledger import Ledger
from app.sending.renewing import renewing
from app.sending.strategy import Slice, Strategy
from app.sentence import stored
from app.store import campaigns, customers, shards
from app.store.campaigns import Campaign
from app.store.clock import lease_s
from app.store.faults import may_pass, reason, write
from app.store.shards import Shard

COUNTED_FIRST_IDS = 50_000
"""A shard of at most so many ids is counted by its task, in some milliseconds: it would be done before the census."""


def send_shard(
    database: Engine,
    log_dir: Path,
    order: ShardOrder,
    *,
    slice_s: float,
    should_stop: Callable[[], bool],
    on_progress: Callable[[], None],
    on_rejected: Callable[[Rejected], None],
    networks: Mapping[str, Network] | None = None,
) -> ShardReport:
    """Take the shard up where the last one left it, and send on for `slice_s`, a page at least, as long as its campaign
    runs. Whatever happens, the next call continues exactly where the last checkpoint was. `networks`: those that
    campaigns may go out by, beside the log."""
    try:
        with database.connect() as connection:
            campaign = campaigns.get(connection, order.campaign_id)
        if campaign is None:  # the order is from a former life, and the campaign was removed
            return ShardReport(order, Outcome.HALTED)
        a_slice = Slice(slice_s, should_stop, on_progress, on_rejected)
        if campaign.gateway == LOG:
            chosen: Strategy = Journal(database, log_dir, campaign, order, a_slice)
        elif networks and campaign.gateway in networks:
            chosen = Ledger(database, campaign, order, a_slice, networks[campaign.gateway])
        else:
            return ShardReport(order, Outcome.BLOCKED, f"no gateway is named {campaign.gateway} in SMS_GATEWAYS")
        with closing(chosen) as strategy:
            return ShardReport(order, _send(database, campaign, order, strategy))
    except ShardTaken:
        return ShardReport(order, Outcome.TAKEN)
    except (LogUnusable, GatewayAway, ConfigError) as error:  # as a gateway's password that is not there
        return ShardReport(order, Outcome.BLOCKED, stored(error.sentence))
    except DBAPIError as error:
        if not may_pass(error):
            raise
        return ShardReport(order, Outcome.BLOCKED, reason(error))


def _send(database: Engine, campaign: Campaign, order: ShardOrder, strategy: Strategy) -> Outcome:
    """Claim the shard, and do what it needs."""
    shard: Shard | None = None
    try:
        shard = strategy.claim()
        _count_if_small(database, campaign.audience, shard)
        if campaign.gateway != LOG:  # which keeps its own lease, for what it may submit depends on that
            return strategy.send(shard)
        of = (campaign.id, order.number, shard.owner)
        with renewing(lambda: write(database, lambda connection: shards.keep(connection, *of)), lease_s(database) / 3):
            return strategy.send(shard)
    except ShardTaken:
        # Halted in the middle, or nobody lived to see the halt: what the record does not know goes.
        return Outcome.HALTED if strategy.let_go() else Outcome.TAKEN
    except (LogDamaged, GatewayFault) as error:
        fail(database, campaign, error.sentence, shard if isinstance(error, LogDamaged) else None)
        strategy.let_go()
        return Outcome.FAILED


def _count_if_small(database: Engine, of: str, shard: Shard) -> None:
    ids = shard.to_id - shard.after_id
    if shard.tally.audience is None and shard.last_id == shard.after_id and ids <= COUNTED_FIRST_IDS:
        with database.connect() as connection:
            audience = customers.count_range(connection, of, shard.after_id, shard.to_id)
        write(database, lambda connection: shards.note_audience(connection, shard, audience))
