"""How far campaigns got, as the database knows it."""

import pytest

from app.errors import UnknownCampaign
from app.services.progress import every_snapshot, snapshot
from tests.integration.app.campaigns import trigger


def test_an_unknown_campaign_is_an_error(sqlite):
    with pytest.raises(UnknownCampaign):
        snapshot(sqlite, "a")


def test_campaigns_come_newest_first(sqlite):
    for name in ("a", "b", "c"):
        trigger(sqlite, name, 10)

    assert [each.campaign.name for each in every_snapshot(sqlite)] == ["c", "b", "a"]


def test_a_campaign_without_customers_is_done(sqlite):
    trigger(sqlite, "a", 10)

    assert (snapshot(sqlite, "a").done, snapshot(sqlite, "a").sent) == (1.0, 0)
