"""Campaigns run in this process, without a server, for tests of one step of them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine

from app.campaigns.start import dispatch
from app.domain.campaign import LOG
from app.domain.choice import Choice
from app.domain.orders import Outcome, ShardOrder
from app.sending.shard import send_shard
from app.store import campaigns, shards
from app.store.campaigns import Campaign
from app.store.database import open_database, writing
from app.store.shards import Shard
from tests.tables import give_tables


@contextmanager
def with_tables(url: str) -> Iterator[Engine]:
    """The database, opened, with the newest tables."""
    engine = open_database(url)
    give_tables(engine)
    yield engine
    engine.dispose()


def trigger(
    database: Engine,
    name: str,
    shard_size: int,
    template: str | None = None,
    *,
    allow_duplicates: bool = True,
    columns: Collection[str] = (),
    gateway: str = LOG,
    audience: str | None = None,
    choice: Choice | None = None,
) -> Campaign:
    """A campaign; unless told otherwise one that needs no preparation."""
    return dispatch(
        database,
        name,
        shard_size,
        template=template,
        allow_duplicates=allow_duplicates,
        added_columns=columns,
        gateway=gateway,
        audience=audience,
        choice=choice,
    ).campaign


def send(
    database: Engine,
    logs: Path,
    campaign: Campaign,
    number: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
    slice_s: float = 3600,
) -> Outcome:
    """What a task does with one shard."""
    order = ShardOrder(campaign.id, number)
    return send_shard(
        database,
        logs,
        order,
        slice_s=slice_s,
        should_stop=should_stop,
        on_progress=lambda: None,
        on_rejected=lambda _: None,
    ).outcome


def after(pages: int) -> Callable[[], bool]:
    """A `should_stop` that says so once that many pages are sent."""
    asked = iter(range(pages))
    return lambda: next(asked, None) is None


def run(
    database: Engine,
    logs: Path,
    name: str,
    shard_size: int,
    template: str | None = None,
    columns: Collection[str] = (),
    gateway: str = LOG,
    audience: str | None = None,
    choice: Choice | None = None,
) -> Campaign:
    """A campaign from its trigger to its end."""
    campaign = trigger(database, name, shard_size, template, columns=columns, audience=audience, choice=choice)
    for shard in shards_of(database, campaign):
        assert send(database, logs, campaign, shard.number) is Outcome.COMPLETE
        with writing(database) as connection:
            shards.finish(connection, campaign.id, shard.number)
            campaigns.finish_if_complete(connection, campaign.id)
    return as_stored(database, campaign)


def shards_of(database: Engine, campaign: Campaign) -> list[Shard]:
    with database.connect() as connection:
        return shards.of_campaign(connection, campaign.id)


def as_stored(database: Engine, campaign: Campaign) -> Campaign:
    with database.connect() as connection:
        return campaigns.get(connection, campaign.id)


def change_shard(database: Engine, campaign: Campaign, **values: object) -> None:
    with writing(database) as connection:
        connection.execute(sa.update(shards.shards).where(shards.shards.c.campaign_id == campaign.id).values(**values))
