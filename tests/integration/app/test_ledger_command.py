"""`ledger`: each customer's message in one row, those under way included, whole or by state."""

import csv
import json
import stat

import pytest

from app.audit import ledger_rows
from app.campaigns.snapshot import snapshot
from app.domain.chunk import Chunk
from app.domain.delivery import Delivery
from app.domain.page import by_form
from app.store import ledger
from app.store.database import writing
from tests.integration.app.campaigns import run
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_receipts import recorded

STATES = [Delivery.ACCEPTED, Delivery.UNKNOWN, Delivery.REFUSED, Delivery.ACCEPTED]
HEADER = "customer_id,mobile,parts,state,gateway,provider_id,error,submitted_at,final_at"


def intend(database, campaign, ids):
    """They are under way, and nothing of them is on record."""
    with writing(database) as connection:
        ledger.lock(connection, [(campaign.id, 0)])
        epoch = connection.exec_driver_sql("SELECT epoch FROM shards").scalar_one()
        mobiles = [13800000000 + each for each in ids]
        chunk = Chunk(len(STATES), ids[-1], ids, mobiles, [1] * len(ids), tally=by_form(ids))
        ledger.intend(connection, ledger.Hold(campaign.id, 0, epoch), chunk)


@pytest.fixture
def campaign(database):
    move_in(database, crowd(10))
    campaign = recorded(database, "a", STATES)
    intend(database, campaign, [5, 7])
    return campaign


def rows(database, state=None):
    return [row for page in ledger_rows.pages(database, snapshot(database, "a"), state) for row in page]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 100])
def test_everybody_has_one_row_by_id_however_the_pages_are_cut(database, campaign, monkeypatch, page_rows):
    monkeypatch.setattr(ledger_rows, "PAGE_ROWS", page_rows)

    found = rows(database)

    assert [each.customer_id for each in found] == [1, 2, 3, 4, 5, 7]
    assert [each.state for each in found] == [*STATES, Delivery.SUBMITTING, Delivery.SUBMITTING]
    assert [each.submitted_at is None for each in found] == [False] * 4 + [True] * 2


def test_those_of_one_state_are_found_alone(database, campaign):
    assert [each.customer_id for each in rows(database, Delivery.ACCEPTED)] == [1, 4]
    assert [each.customer_id for each in rows(database, Delivery.SUBMITTING)] == [5, 7]


@pytest.fixture
def on_sqlite(sqlite):
    move_in(sqlite, crowd(20))
    intend(sqlite, recorded(sqlite, "a", STATES), [13, 17])


@pytest.mark.usefixtures("on_sqlite")
def test_a_file_has_whole_mobiles_and_is_closed_to_others(app, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("of before")
    path.chmod(0o644)

    assert app("ledger", "a", "--csv", str(path)).out == f"6 rows in {path}\n"

    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == HEADER
    assert [line.split(",")[:5] for line in lines[5:]] == [
        ["13", "13800000013", "1", "submitting", "net"],
        ["17", "13800000017", "1", "submitting", "net"],
    ]
    assert next(csv.DictReader(lines))["provider_id"] == "id1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "a.csv" in each.name] == ["a.csv"]


@pytest.mark.usefixtures("on_sqlite")
def test_a_terminal_and_a_program_get_masked_mobiles(app):
    shown, facts = app("ledger", "a").out, json.loads(app("ledger", "a", "--json").out)

    assert "138****0013" in shown
    assert "13800000013" not in shown
    assert [each["mobile"] for each in facts][-1] == "138****0017"
    assert facts[1]["state"] == "unknown"


@pytest.mark.usefixtures("on_sqlite")
def test_nobody_in_a_state_is_an_empty_list(app):
    assert json.loads(app("ledger", "a", "--json", "--state", "expired").out) == []


@pytest.mark.usefixtures("on_sqlite")
def test_a_file_that_cannot_be_written_is_said(app, tmp_path):
    app("ledger", "a", "--csv", str(tmp_path / "none" / "a.csv")).assert_refused("cannot be used")


def test_a_campaign_that_goes_to_logs_has_none(app, sqlite, logs):
    move_in(sqlite, crowd(2))
    run(sqlite, logs, "b", 100)

    app("ledger", "b").assert_refused("b goes to logs")


@pytest.mark.usefixtures("on_sqlite", "chinese")
def test_it_speaks_chinese(app):
    assert app("ledger", "a").out.splitlines()[2].split()[3] == "结果不明"
