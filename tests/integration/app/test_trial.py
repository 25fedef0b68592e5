"""Trial: a message to a few numbers holds a session of the account as long as it lasts, or sends nothing more."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.errors import NotTried
from app.sending.trial import Trial
from app.store.database import writing
from app.store.tables import binds
from app.store.tables import trail as trail_table
from tests.integration.app.network import Network
from tests.words import refused

NUMBERS = [13800000001, 13800000002, 13800000003]


def lose_session(database):
    with writing(database) as connection:
        connection.execute(binds.update().values(holder="a campaign"))


def test_who_lost_the_session_submits_nothing_more(sqlite):
    network = Network()

    fates = asyncio.run(Trial(sqlite, network, NUMBERS, "hello", 1).run(lambda *_: lose_session(sqlite), 0))

    assert (len(fates), network.numbers) == (1, {NUMBERS[0]: 1})
    with sqlite.connect() as connection:
        assert connection.scalars(sa.select(trail_table.c.subject)).all() == ["138****0001"]


def test_who_lost_the_session_before_the_first_message_is_told_so(sqlite):
    class Slow(Network):
        async def open(self, *given, **named):
            lose_session(sqlite)
            return await super().open(*given, **named)

    network = Slow()

    with refused(NotTried, "nothing was sent"):
        asyncio.run(Trial(sqlite, network, NUMBERS, "hello", 1).run(lambda *_: None, 0))

    assert network.log == []


def test_the_session_is_kept_through_an_error_of_the_database(sqlite, monkeypatch):
    monkeypatch.setattr("app.sending.trial.lease_s", lambda _: 0.01)
    tries = []

    async def write(unit):
        tries.append(unit)
        if len(tries) == 1:
            raise OperationalError("", {}, Exception(2013))
        return False

    async def keep():
        trial = Trial(sqlite, Network(), NUMBERS, "hello", 1)
        trial._write = write
        async with asyncio.timeout(10):
            await trial._keep_bind(0)

    asyncio.run(keep())

    assert len(tries) == 2


def test_nothing_is_sent_once_the_database_was_away_for_long(sqlite, monkeypatch):
    def away(*_):
        raise OperationalError("", {}, Exception(2013))

    monkeypatch.setattr("app.sending.trial.AWAY_FOR_S", 0.2)
    monkeypatch.setattr("app.sending.limiter.write", away)
    network = Network()
    network.rate = 10

    async def run():
        async with asyncio.timeout(15):
            await Trial(sqlite, network, NUMBERS, "hello", 1).run(lambda *_: None, 0)

    with pytest.raises(OperationalError):
        asyncio.run(run())

    assert network.log == []
    with sqlite.connect() as connection:
        assert connection.scalars(sa.select(binds.c.lease_until_ms)).all() == [0]
