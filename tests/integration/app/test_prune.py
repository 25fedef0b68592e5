"""`prune`: the rows and logs of campaigns that are long over are removed in steps that stand alone; counts stay."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
import sqlalchemy as sa

from app.campaigns import prune as use_case
from app.campaigns import retry
from app.campaigns.snapshot import snapshot
from app.domain.campaign import Verb
from app.domain.delivery import Delivery
from app.domain.reject import Reason, Reject
from app.errors import Pruned
from app.gateways.log_file.folder import make_folder
from app.store import campaigns, parts, pruning, rejects
from app.store.database import writing
from app.store.parts import Attempt
from app.store.tables import campaigns as table
from app.store.tables import metadata, shards
from tests.integration.app.campaigns import send, trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded
from tests.words import refused

LONG_AGO = timedelta(days=100)
STATES = [Delivery.DELIVERED, Delivery.REFUSED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.REFUSED]


def end(database, campaign, ago=LONG_AGO, verb=Verb.FINISH):
    """It is over since then."""
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, verb)
        over = table.update().where(table.c.id == campaign.id)
        connection.execute(over.values(finished_at=datetime.now(UTC) - ago))


def ledger(database, name, states=STATES, **ending):
    """A campaign to a network that is over, with a message of two parts and a reject."""
    campaign = recorded(database, name, states)
    with writing(database) as connection:
        parts.insert(connection, {Attempt(campaign.id, 1, 1): [f"{name}-1", f"{name}-2"]})
        rejects.insert(connection, campaign.id, 0, [Reject(9, Reason.OPTED_OUT)])
        its_shard = shards.update().where(shards.c.campaign_id == campaign.id)
        connection.execute(its_shard.values(rejected=1, lease_until_ms=0))
    end(database, campaign, **ending)
    return campaign


def journal(database, logs, name, **ending):
    """A campaign to logs that is over."""
    campaign = trigger(database, name, 1000)
    send(database, logs, campaign)
    end(database, campaign, **ending)
    return campaign


def rows(database, campaign):
    """How many of each table of details."""
    with database.connect() as connection:
        return {
            each.name: connection.execute(
                sa.select(sa.func.count()).select_from(each).where(each.c.campaign_id == campaign.id)
            ).scalar_one()
            for each in metadata.tables.values()
            if "campaign_id" in each.c and each.name not in {"shards", "log_parts"}  # these stay
        }


def prune(database, logs, ago=timedelta(days=90)):
    before = datetime.now(UTC) - ago
    return [*use_case.prune(database, logs, use_case.find(database, logs, before), before)]


PEOPLE = [*crowd(8), (9, "张伟", 1, "nonsense")]


@pytest.fixture
def database(database):
    move_in(database, PEOPLE)
    return database


@pytest.fixture
def sqlite(sqlite):
    move_in(sqlite, PEOPLE)
    return sqlite


def test_what_is_of_customers_goes_and_the_counts_stay(database, logs):
    network, log = ledger(database, "net"), journal(database, logs, "log")
    before = [snapshot(database, each).tally for each in ("net", "log")]
    assert (logs / "log" / "task_0.log").exists() and (logs / "log" / "task_0.rejects.log").exists()

    steps = prune(database, logs)

    assert not any(rows(database, network).values()) and not any(rows(database, log).values())
    assert not (logs / "log").exists()
    assert [snapshot(database, each).tally for each in ("net", "log")] == before
    assert (sum(each.rows for each in steps), sum(each.files for each in steps)) == (5 + 1 + 1, 2)
    assert prune(database, logs) == []


def test_what_runs_or_may_learn_or_is_not_over_for_long_stays(database, logs):
    running = recorded(database, "runs", STATES)
    learns = ledger(database, "learns", [Delivery.ACCEPTED], ago=timedelta(hours=1))
    young = journal(database, logs, "young", ago=timedelta(hours=1))
    kept = [rows(database, each) for each in (running, learns, young)]

    prune(database, logs, ago=timedelta(hours=2))
    prune(database, logs, ago=timedelta(minutes=1))

    assert [rows(database, each) for each in (running, learns)] == kept[:2]
    assert not any(rows(database, young).values())


def test_ended_after_any_step_the_next_run_goes_on(sqlite, logs, monkeypatch):
    monkeypatch.setattr(pruning, "DETAILS", tuple(each._replace(at_once=2) for each in pruning.DETAILS))
    before = datetime.now(UTC) - timedelta(days=90)
    for number in range(100):
        network, log = ledger(sqlite, f"net-{number}"), journal(sqlite, logs, f"log-{number}")
        found = use_case.find(sqlite, logs, before)
        assert {each.campaign.id for each in found} == {network.id, log.id}

        done = list(islice(use_case.prune(sqlite, logs, found, before), number))

        # Those that are marked go on, however long they are over.
        left = prune(sqlite, logs, ago=timedelta(days=10_000)) + prune(sqlite, logs)
        assert sum(each.rows for each in done + left) == 5 + 1 + 1
        assert sum(each.files for each in done + left) == 2
        assert not any((rows(sqlite, network) | rows(sqlite, log)).values())
        assert not (logs / log.name).exists()
        if not left:
            return
    pytest.fail("it never came to an end")


def test_one_that_is_opened_again_meanwhile_is_left_alone_and_a_marked_one_is_not_opened(sqlite, logs):
    campaign = ledger(sqlite, "a")
    before = datetime.now(UTC)
    found = use_case.find(sqlite, logs, before)
    now = snapshot(sqlite, "a")
    assert retry.retry(sqlite, now, Delivery.REFUSED) == 2

    assert [*use_case.prune(sqlite, logs, found, before)] == []
    assert rows(sqlite, campaign)["messages"] == 5

    end(sqlite, campaign)
    prune(sqlite, logs)
    with writing(sqlite) as connection:
        assert not campaigns.reopen(connection, campaigns.get(connection, campaign.id))
    with refused(Pruned, "details of a were removed on "):
        retry.check(snapshot(sqlite, "a"), Delivery.REFUSED)


def test_logs_of_another_folder_stay_and_are_named(app, sqlite, logs, tmp_path):
    make_folder(logs)
    journal(sqlite, tmp_path / "elsewhere", "a")

    shown = app("prune", "--older-than", "90d", "--yes").out

    assert "logs of a stay, task 0: they are in another folder, " in shown
    assert (tmp_path / "elsewhere" / "a" / "task_0.log").exists()

    assert [each.files for each in prune(sqlite, tmp_path / "elsewhere")] == [1, 1]
    assert not (tmp_path / "elsewhere" / "a").exists()


def test_a_campaigns_folder_that_is_a_link_is_not_followed_and_what_else_is_in_one_stays(app, sqlite, logs, tmp_path):
    journal(sqlite, logs, "a")
    journal(sqlite, logs, "b")
    (logs / "a" / "notes.txt").write_text("ours")
    (logs / "b").rename(tmp_path / "theirs")
    (logs / "b").symlink_to(tmp_path / "theirs")

    ended = app("prune", "--older-than", "90d", "--yes")

    assert (ended.code, "a symbolic link" in ended.err) == (1, True)
    assert [each.name for each in (logs / "a").iterdir()] == ["notes.txt"]
    assert (tmp_path / "theirs" / "task_0.log").exists()


def test_it_shows_what_it_would_do_and_asks(app, sqlite, logs):
    campaign = ledger(sqlite, "a")

    dry = app("prune", "--older-than", "90d", "--dry-run")
    asked = app("prune", "--older-than", "90d")
    nothing = app("prune", "--older-than", "101d", "--yes")

    assert (dry.code, nothing.code) == (0, 0)
    assert "1 campaign: 6 rows, 0 logs with 0.0 MB; its counts and its name stay" in dry.out
    assert nothing.out == "nothing is to be removed\n"
    assert (asked.code, "pass --yes" in asked.err) == (1, True)
    assert rows(sqlite, campaign)["messages"] == 5
    assert app("prune", "--older-than", "soon").code == 2

    assert app("prune", "--older-than", "12w", "--yes").out.endswith("removed 6 rows and 0 logs with 0.0 MB\n")
    assert not any(rows(sqlite, campaign).values())


def test_commands_that_need_what_was_removed_say_so_and_the_others_show_the_counts(app, sqlite, logs):
    ledger(sqlite, "net")
    journal(sqlite, logs, "log")
    counts = {each: json.loads(app("status", each, "--json").out) for each in ("net", "log")}
    app("prune", "--older-than", "90d", "--yes")

    for command in (
        ["ledger", "net"], ["retry", "net", "--state", "refused", "--yes"], ["logs", "log"], ["resume", "log"],
        ["resume", "log", "--late"], ["resume", "net"],
    ):  # fmt: skip
        app(*command).assert_refused("details of ", "were removed on ", "python -m app status")
    for name in ("net", "log"):
        for command in ("status", "report"):
            shown = app(command, name)
            facts = json.loads(app(command, name, "--json").out)
            assert (shown.code, "details were removed on " in shown.out) == (0, True)
            assert facts.pop("pruned_at") and counts[name]["pruned_at"] is None
            assert {each: facts[each] for each in counts[name] if each != "pruned_at"} == {
                each: value for each, value in counts[name].items() if each != "pruned_at"
            }
    assert "of 2 campaigns whose details were removed: log, net" in app("find", "13800000001").out


def test_a_name_that_was_used_stays_taken(sqlite, logs):
    journal(sqlite, logs, "a")
    prune(sqlite, logs)

    assert trigger(sqlite, "a", 1000).pruned_at is not None
