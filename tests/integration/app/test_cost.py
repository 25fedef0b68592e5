"""What a campaign costs by the price of its gateway: told before and after, and asked about above a sum."""

import json
from decimal import Decimal

import pytest

from app.campaigns.spending import Spending
from app.campaigns.start import dispatch
from app.domain.delivery import Delivery
from app.domain.price import Price
from app.errors import BadRequest
from app.store import messages
from app.store.database import writing
from app.store.tables import messages as ledger
from tests.integration.app.campaigns import with_tables
from tests.integration.app.network import Network
from tests.integration.app.people import crowd, move_in, person
from tests.integration.app.serving import Product
from tests.integration.app.test_receipts import recorded
from tests.words import refused, words

FILE = """
[net]
kind = "smpp"
host = "127.0.0.1"
port = 1
system_id = "sms"
password_env = "SMPP_A_PASSWORD"
price = 0.035
currency = "CNY"
"""
LONG = "{name}" + "王" * 70
"""Two parts for everybody."""


@pytest.fixture
def priced(gateways):
    """The gateway `net`, with a price."""
    return gateways(FILE)


@pytest.mark.usefixtures("priced")
def test_preview_tells_what_everybody_comes_to(app, sqlite):
    move_in(sqlite, [person(1, "a"), person(2, "王" * 64)])

    shown = app("preview", "--template", "{name}!", "--gateway", "net").out
    facts = json.loads(app("preview", "--template", "{name}" * 2, "--gateway", "net", "--json").out)["estimate"]
    without = json.loads(app("preview", "--template", "{name}", "--json").out)["estimate"]

    assert "at 0.035 CNY a part that comes to 0.07 CNY\n" in shown
    assert (facts["sms"], facts["cost"]) == (3, {"price": "0.035", "currency": "CNY", "sum": "0.105"})
    assert without["cost"] is None


def test_report_tells_what_the_ledgers_parts_come_to(app, sqlite, priced):
    move_in(sqlite, crowd(4))
    campaign = recorded(sqlite, "a", [Delivery.DELIVERED, Delivery.ACCEPTED, Delivery.REFUSED, Delivery.UNKNOWN])
    with writing(sqlite) as connection:
        connection.execute(ledger.update().values(parts=2))
        assert messages.counts(connection, campaign.id, 0, 10)[Delivery.REFUSED] == 1

    shown, facts = app("report", "a").out, json.loads(app("report", "a", "--json").out)

    assert "the 4 SMS that the gateway took come to 0.14 CNY, at 0.035 CNY each\n" in shown
    assert facts["total"]["cost"]["sum"] == "0.140"

    priced.unlink()
    assert json.loads(app("report", "a", "--json").out)["total"]["cost"] is None


@pytest.mark.parametrize(
    ("most", "confirmed", "is_started"),
    [
        (None, None, True),
        (0.28, None, True),
        (0.27, None, False),
        (0.27, 7, False),
        (0.27, 8, True),
        (0.0, 10**100, True),
        (0.0, -1, False),
    ],
)
def test_above_the_sum_a_campaign_begins_only_if_as_many_parts_are_agreed_to(sqlite, most, confirmed, is_started):
    move_in(sqlite, [person(number, "王") for number in range(1, 5)])
    networks = {"net": Network(price=Price(Decimal("0.035"), "CNY"))}

    def trigger(name, gateway="net"):
        return dispatch(
            sqlite, name, 10, template=LONG, gateway=gateway, networks=networks, spending=Spending(most, confirmed)
        ).created

    if is_started:
        assert trigger("a")
    else:
        with refused(BadRequest, "a comes to about 8 SMS by net, 0.28 CNY, more than SMS_ASK_ABOVE") as refusal:
            trigger("a")
        assert '"confirm": 8' in words(refusal.value)
        assert trigger("b", "log")  # of which nobody knows a price


def test_a_campaign_that_is_there_is_found_whatever_it_costs(sqlite):
    move_in(sqlite, crowd(2))
    networks = {"net": Network(price=Price(Decimal(1)))}
    of = {"template": "{name}", "gateway": "net", "networks": networks}
    dispatch(sqlite, "a", 10, **of)

    assert not dispatch(sqlite, "a", 10, **of, spending=Spending(0.0)).created


def test_the_trigger_asks_and_a_program_says_how_many_parts_it_agrees_to(sqlite_url, tmp_path, priced):
    with (
        with_tables(sqlite_url) as database,
        Product(sqlite_url, tmp_path, gateways=priced, gateway="net", ask_above=0.1) as product,
    ):
        product.expects_tracebacks = True  # nobody listens where the gateway is
        product.environment |= {"SMPP_A_PASSWORD": "s3cret"}
        move_in(database, [person(number, "王") for number in range(1, 5)])
        product.start()
        asked = json.loads(product.ask(json.dumps({"campaign": "a", "template": LONG})))
        plain = product.run("trigger", "b", "--template", LONG)
        agreed = product.run("trigger", "b", "--template", LONG, "--yes")
        confirmed = json.loads(
            product.ask(json.dumps({"campaign": "a", "template": LONG, "confirm": asked["why"]["facts"]["parts"]}))
        )
        no_number = json.loads(product.ask(json.dumps({"campaign": "a", "confirm": True})))
        for name in ("a", "b"):
            product.run("cancel", name)

    assert (asked["ok"], asked["error"], asked["why"]["facts"]["parts"]) == (False, "unconfirmed_cost", 8)
    assert (plain.returncode, "pass --yes" in plain.stderr) == (1, True)
    assert "b comes to about 8 SMS by net, 0.28 CNY\n" in plain.stdout
    assert (agreed.returncode, "b has begun" in agreed.stdout) == (0, True), agreed
    assert (confirmed["ok"], confirmed["created"]) == (True, True)
    assert no_number["error"] == "bad_field"
