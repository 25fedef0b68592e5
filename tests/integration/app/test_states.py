"""What status shows of a campaign with a ledger."""

import json

from app.domain.delivery import Delivery
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded

STATES = [Delivery.ACCEPTED, Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.UNKNOWN, Delivery.REFUSED]


def test_status_shows_the_states_that_somebody_is_in_and_counts_as_sent_what_was_taken(app, sqlite):
    move_in(sqlite, crowd(10))
    recorded(sqlite, "spring", STATES)

    table, facts = app("status", "spring"), json.loads(app("status", "spring", "--json").out)

    assert facts["states"] == facts["tasks"][0]["states"]
    assert facts["states"] == {"accepted": 2, "delivered": 1, "refused": 1, "unknown": 1}
    assert facts["sent"] == facts["tasks"][0]["sent"] == 3
    assert {"accepted", "delivered", "refused", "unknown"} <= {*table.out.split()}
    assert "expired" not in table.out


def test_where_no_campaign_has_a_ledger_no_state_is_shown(app, sqlite):
    assert "accepted" not in app("status").out
