"""The system's page: how gateways do, what the doctor finds, and who has which shard."""

import asyncio
from collections import Counter
from threading import Event

import pytest

from app.doctor.finding import ok, problem, warning
from app.domain.delivery import Delivery
from app.sentence import Sentence
from app.store import contacts, gateway_totals, ledger
from app.store.database import writing
from app.web.checkup import Checkup, Findings
from app.web.recent import Pace, Recent
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.ports import free_port
from tests.unit.app.web.test_pages import text_of
from tests.waiting import until

GATEWAYS = f"""
[net]
kind = "smpp"
host = "127.0.0.1"
port = {free_port()}
system_id = "sms"
password_env = "CENTRE_PASSWORD"
rate = 500
binds = 2
"""


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    (tmp_path / "gateways.toml").write_text(GATEWAYS)
    monkeypatch.setenv("SMS_GATEWAYS", str(tmp_path / "gateways.toml"))
    monkeypatch.setenv("CENTRE_PASSWORD", "secret")
    from app import config

    return config.load()


def count(database, **counters):
    with writing(database) as connection:
        gateway_totals.add(connection, "net", 0, {name.replace("__", ":"): each for name, each in counters.items()})


def test_a_gateway_shows_how_it_does(client, database):
    move_in(database, crowd(10))
    recorded(database, "spring", [Delivery.ACCEPTED, Delivery.UNKNOWN])
    now = [100.0]
    client.app.state.house.facts.recent._clock = lambda: now[0]
    count(database, parts__=1000, submissions__accepted=1000)
    assert "…/500" in text_of(client.get("/system"))
    with writing(database) as connection:
        contacts.tell(connection, "net", 0, is_up=True, under_way=7)
        contacts.tell(connection, "net", -1, is_up=True)
        ledger_binds(connection)
    count(database, parts__=4800, submissions__accepted=996, submissions__throttled=4, receipt_s__5=20)
    now[0] += 10.0
    client.app.state.house.looks._looks.clear()

    found = text_of(client.get("/system"))

    assert "reached 1/2 480/500 7/10 0.4%" in found
    assert "net smpp 127.0.0.1" in found
    assert " 1 Rates are" in found  # the last column is what is in doubt


def ledger_binds(connection):
    from app.store import accounts

    assert accounts.take_bind(connection, "net", 2, "holder") == 0


def test_one_that_cannot_be_reached_says_why(client, database):
    with writing(database) as connection:
        why = Sentence("gateway_away.unreachable", where="127.0.0.1:2775", why="Connection refused")
        contacts.tell(connection, "net", 0, is_up=False, why=why)

    assert "cannot be reached" in (found := text_of(client.get("/system")))
    assert "Connection refused" in found


def test_what_the_doctor_finds_stands_there_soon_and_it_asks_little(client):
    assert "The doctor is at work" in text_of(client.get("/system"))

    def findings():
        return client.app.state.house.checkup.latest()

    until(lambda: "Examined at" in text_of(client.get("/system")), within_s=60, what="the doctor has looked")
    latest = findings()
    assert latest.count("ok") > 3
    assert [each for each in latest.found if each.check == "gateways"] == []  # to visit it would be a problem
    assert "genders" not in {each.check for each in latest.found}  # nor does it read the customers


def test_a_shard_says_who_has_it_and_until_when(client, database):
    move_in(database, crowd(10))
    campaign = trigger(database, "spring", 1000, gateway="net")
    with writing(database) as connection:
        ledger.claim(connection, campaign.id, 0, "host-7:123:abc", doubt=Delivery.UNKNOWN)

    found = text_of(client.get("/campaigns/spring"))

    assert "at work host-7:123:abc" in found


# ── what it is made of ──────────────────────────────────────────────────────────────────────────


def test_a_pace_is_told_once_there_was_something_to_compare_with():
    now = [0.0]
    recent = Recent(lambda: now[0])
    found = []
    for at in range(0, 700, 1):
        now[0] = float(at)
        parts = at * 100 if at < 600 else 60_000
        found.append(recent.paces({"net": Counter({"parts:": parts, "submissions:accepted": parts})}))

    assert found[0] == found[1] == {}
    assert found[2]["net"].parts_per_s == pytest.approx(100)
    assert found[300]["net"] == Pace(pytest.approx(100), 0.0, None)
    assert found[620]["net"].parts_per_s == 0
    assert len(recent._seen) < 160


def test_a_gateway_that_is_new_has_a_pace_of_its_own():
    now = [0.0]
    recent = Recent(lambda: now[0])
    recent.paces({})
    now[0] = 10.0

    assert recent.paces({"net": Counter({"parts:": 50})})["net"].parts_per_s == 5


def test_the_doctor_is_asked_once_at_a_time_and_not_before_a_minute():
    now, asked, may_end = [0.0], [], Event()

    def examine():
        asked.append(now[0])
        may_end.wait(30)
        return [ok("a", Sentence("plain", text="a"))]

    async def run():
        checkup = Checkup(examine, lambda: now[0])
        for _ in range(3):
            assert checkup.latest() is None
            await asyncio.sleep(0)
        await asyncio.to_thread(until, lambda: asked == [0.0])
        assert checkup.latest() is None
        may_end.set()
        await checkup._under_way
        now[0] = 59.0
        assert checkup.latest().count("ok") == 1
        now[0] = 61.0
        checkup.latest()
        await checkup._under_way
        checkup.close()

    asyncio.run(run())
    assert asked == [0.0, 61.0]


def test_a_doctor_that_breaks_down_is_asked_again_and_what_is_known_stays():
    now, broken = [0.0], [False]

    def examine():
        if broken[0]:
            raise RuntimeError("broken")
        return [warning("a", Sentence("plain", text="a"), None), problem("b", Sentence("plain", text="b"), None)]

    async def run():
        checkup = Checkup(examine, lambda: now[0])
        for at in (0.0, 100.0):
            now[0] = at
            checkup.latest()
            await checkup._under_way
            broken[0] = True
        found = checkup.latest()
        checkup.close()
        return found

    found = asyncio.run(run())
    assert isinstance(found, Findings)
    assert [each.check for each in found.to_see_to] == ["b", "a"]
