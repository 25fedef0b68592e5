"""Which campaigns are followed: those that are not over, and for a day longer."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.domain.campaign import Verb
from app.store import campaigns as rows
from app.store.database import writing
from app.store.tables import campaigns
from tests.integration.app.campaigns import trigger

NOW = datetime.now(UTC)
SINCE = NOW - timedelta(days=1)


def test_it_is_those_that_are_not_over_and_those_that_were_not_then(database):
    ended = {"old": SINCE - timedelta(hours=1), "new": NOW}
    for name in ("old", "failed", "new", "paused", "running"):
        campaign = trigger(database, name, 10)
        with writing(database) as connection:
            if name in ended:
                rows.change(connection, campaign.id, Verb.CANCEL)
                one = campaigns.update().where(campaigns.c.id == campaign.id)
                connection.execute(one.values(finished_at=ended[name]))
            elif name != "running":
                rows.change(connection, campaign.id, {"failed": Verb.FAIL, "paused": Verb.PAUSE}[name])

    with database.connect() as connection:
        found = [each.name for each in rows.not_long_over(connection, SINCE)]

    assert found == ["failed", "new", "paused", "running"]


def test_campaigns_that_were_over_long_ago_are_not_read(sqlite):
    asked = []
    sa.event.listen(sqlite, "before_cursor_execute", lambda *facts: asked.append((facts[2], facts[3])))
    with sqlite.connect() as connection:
        rows.not_long_over(connection, SINCE)
        plans = [
            str(row.detail)
            for statement, values in list(asked)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]

    assert plans
    assert not [each for each in plans if each.startswith("SCAN")]
