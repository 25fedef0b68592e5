"""A number of several customers gets its message though whoever was to get it is gone, and never gets two."""

import re
from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.audit.report import Report, report
from app.dedupe import number_runs, shared_numbers
from app.dedupe.find_duplicates import find_duplicates
from app.domain.chunk import Chunk
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.domain.tally import Tally
from app.gateways.log_file.journal import LogFile
from app.sending import journal
from app.store import campaigns, heirs, ledger, shards
from app.store.database import writing
from app.store.tables import customers as table
from app.store.tables import rejects
from tests.integration.app.campaigns import after, as_stored, send, shards_of, trigger
from tests.integration.app.people import logs_of, move_in, person

NUMBER = "13800000000"
SIZE = 10


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(journal, "PAGE_ROWS", 3)


def holder(number):
    return (number, f"客户{number}号", 1, NUMBER)


def begin(database, logs, holders, size=SIZE, name="a", to_id=20):
    """A prepared campaign in which these share a number, and everybody else up to `to_id` has one of their own."""
    move_in(database, [holder(each) if each in holders else person(each) for each in range(1, to_id + 1)])
    campaign = trigger(database, name, size, allow_duplicates=False)
    assert find_duplicates(database, logs, campaign.id, lambda: False)
    return campaign


def delete(database, *ids):
    with writing(database) as connection:
        connection.execute(sa.delete(table).where(table.c.id.in_(ids)))


def change(database, customer_id, **values):
    with writing(database) as connection:
        connection.execute(sa.update(table).where(table.c.id == customer_id).values(**values))


def come_back(database, row):
    with writing(database) as connection:
        connection.execute(sa.insert(table).values(dict(zip(("id", "name", "gender", "mobile"), row, strict=True))))


def greeted(logs, number=NUMBER, name="a"):
    """Ids of those who got a message at this number, as their names tell."""
    text = b"".join(logs_of(logs, name).values()).decode()
    return [int(each) for each in re.findall(f"手机号为{number}的客户([0-9]+)号", text)]


def duplicates(database):
    with database.connect() as connection:
        query = sa.select(rejects.c.customer_id).where(rejects.c.reason == "duplicate").order_by(rejects.c.customer_id)
        return list(connection.execute(query).scalars())


def send_in(database, logs, campaign, order):
    for number in order:
        assert send(database, logs, campaign, number) is Outcome.COMPLETE
        with writing(database) as connection:
            shards.finish(connection, campaign.id, number)


def assert_report_agrees(database, logs, name="a"):
    *_, whole = report(database, logs, name)
    assert isinstance(whole, Report)
    assert [each for task in whole.tasks for each in task.differences] == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("heir", [3, 6, 15])
def test_a_number_whose_lowest_holder_is_deleted_before_his_turn_gets_its_message(sqlite, logs, order, heir):
    campaign = begin(sqlite, logs, {2, heir})

    delete(sqlite, 2)
    send_in(sqlite, logs, campaign, order)

    assert greeted(logs) == [heir]
    assert duplicates(sqlite) == []
    assert sum(each.tally.sent for each in shards_of(sqlite, campaign)) == 19
    assert_report_agrees(sqlite, logs)


@pytest.mark.parametrize("values", [{"mobile": "13911112222"}, {"mobile": "none"}, {"name": "  "}])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_so_does_one_whose_lowest_holder_has_another_one_or_no_name_by_then(sqlite, logs, values, order):
    campaign = begin(sqlite, logs, {2, 15})

    change(sqlite, 2, **values)
    send_in(sqlite, logs, campaign, order)

    assert greeted(logs) == [15]
    assert duplicates(sqlite) == []
    assert_report_agrees(sqlite, logs)


def test_of_several_who_are_left_one_gets_it(database, logs):
    campaign = begin(database, logs, {2, 12, 14, 22, 24}, to_id=30)

    delete(database, 2)
    send_in(database, logs, campaign, (2, 0, 1))

    assert len(greeted(logs)) == 1
    assert len(duplicates(database)) == 3
    assert_report_agrees(database, logs)


@pytest.mark.parametrize(
    "changed", [lambda database: delete(database, 2), lambda database: change(database, 2, name="")]
)
def test_who_was_sent_and_is_deleted_or_changed_after_that_has_no_heir(sqlite, logs, changed):
    campaign = begin(sqlite, logs, {2, 6, 15})
    send(sqlite, logs, campaign, 0, should_stop=after(1))

    changed(sqlite)
    send_in(sqlite, logs, campaign, (0, 1))

    assert greeted(logs) == [2]
    assert duplicates(sqlite) == [6, 15]


def test_a_duplicate_who_has_a_number_of_his_own_by_his_turn_is_greeted_there(database, logs):
    campaign = begin(database, logs, {2, 15})

    change(database, 15, mobile="13911112222")
    send_in(database, logs, campaign, (1, 0))

    assert (greeted(logs), greeted(logs, "13911112222")) == ([2], [15])
    assert_report_agrees(database, logs)


def test_who_comes_back_once_he_has_an_heir_gets_no_second_message(database, logs):
    campaign = begin(database, logs, {2, 15})
    delete(database, 2)
    send_in(database, logs, campaign, (1,))

    come_back(database, holder(2))
    send_in(database, logs, campaign, (0,))

    assert greeted(logs) == [15]
    assert duplicates(database) == [2]
    assert_report_agrees(database, logs)


def test_who_inherits_while_the_keeper_is_being_sent_and_who_is_sent_do_not_both_get_it(database, logs, monkeypatch):
    campaign = begin(database, logs, {2, 15})
    real, made = journal.prepare, []

    def prepare(template, people, not_sent):
        made.append(list(people.ids))
        if made == [[1, 2, 3]]:  # it is decided who of this page is sent, and nothing is sent yet
            delete(database, 2)
            assert send(database, logs, campaign, 1) is Outcome.COMPLETE
        return real(template, people, not_sent)

    monkeypatch.setattr(journal, "prepare", prepare)

    assert send(database, logs, campaign, 0) is Outcome.COMPLETE

    assert greeted(logs) == [15]
    assert any(each[:2] == [1, 3] for each in made)  # the page was made anew
    first, _ = shards_of(database, campaign)
    assert first.tally.sent == 9
    assert logs_of(logs, "a")["task_0.log"].count(b"\n") == 9


def dies(*_: object) -> None:
    raise RuntimeError("killed")


@pytest.mark.parametrize("where", ["deliver", "checkpoint"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_an_heir_whose_task_dies_before_he_is_on_record_gets_it_or_leaves_it_to_the_next(
    database, logs, monkeypatch, where, is_deleted
):
    campaign = begin(database, logs, {2, 12, 19})
    delete(database, 2)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(*((LogFile, "deliver", dies) if where == "deliver" else (shards, "checkpoint", dies)))
        send(database, logs, campaign, 1)

    if is_deleted:
        delete(database, 12)
    send_in(database, logs, campaign, (1, 0))

    assert greeted(logs) == ([19] if is_deleted else [12])
    assert_report_agrees(database, logs)


def test_duplicates_of_a_campaign_from_before_their_keepers_were_known_stay_what_they_are(sqlite, logs):
    campaign = begin(sqlite, logs, {2, 15})
    with writing(sqlite) as connection:
        connection.execute(sa.text("UPDATE duplicates SET keepers = NULL, numbers = NULL"))

    send_in(sqlite, logs, campaign, (0, 1))

    assert greeted(logs) == [2]
    assert duplicates(sqlite) == [15]
    assert_report_agrees(sqlite, logs)


def test_a_page_without_shared_numbers_asks_nothing(sqlite, logs, monkeypatch):
    campaign = begin(sqlite, logs, {2, 15}, size=100)
    send(sqlite, logs, campaign, 0, should_stop=after(1))
    monkeypatch.setattr(shared_numbers.heirs, "of", dies)

    assert send(sqlite, logs, campaign, 0, should_stop=after(3)) is Outcome.STOPPED


CHANGES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["delete", "come back"]), st.integers(1, 18)), max_size=12
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.integers(0, 3), min_size=18, max_size=18),
    changes=CHANGES,
    turns=st.lists(st.integers(0, 2), min_size=10, max_size=14),
)
def test_whoever_comes_and_goes_no_number_gets_two_and_one_that_kept_its_lowest_holder_gets_one(
    sqlite, logs, groups, changes, turns
):
    with writing(sqlite) as connection:
        connection.execute(campaigns.campaigns.delete())
    rows = {number: (number, f"客户{number}号", 1, f"1380000000{groups[number - 1]}") for number in range(1, 19)}
    move_in(sqlite, list(rows.values()))
    campaign = trigger(sqlite, "a", 6, allow_duplicates=False)
    for log in (logs / "a").glob("*"):
        log.unlink()
    find_duplicates(sqlite, logs, campaign.id, lambda: False)
    here = set(rows)

    for step, shard in enumerate([*turns, 0, 1, 2]):
        for at, what, who in changes:
            if at == step and what == "delete" and who in here:
                delete(sqlite, who)
                here.discard(who)
            elif at == step and what == "come back" and who not in here:
                come_back(sqlite, rows[who])
                here.add(who)
        send(sqlite, logs, campaign, shard, should_stop=after(1) if step < len(turns) else lambda: False)

    touched = {who for _, _, who in changes}
    text = b"".join(logs_of(logs, "a").values()).decode()
    count = Counter(re.findall("手机号为(1[0-9]{10})", text))
    for number in {row[3] for row in rows.values()}:
        holders = [row[0] for row in rows.values() if row[3] == number]
        assert count[number] <= 1
        if min(holders) not in touched:
            assert count[number] == 1


def test_numbers_that_were_read_before_a_pause_are_read_anew_after_it(sqlite, logs, monkeypatch):
    move_in(sqlite, [person(1), person(2), person(3)])
    campaign = trigger(sqlite, "a", SIZE, allow_duplicates=False)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("app.dedupe.find_duplicates._merge", dies)
        find_duplicates(sqlite, logs, campaign.id, lambda: False)
    with writing(sqlite) as connection:
        connection.execute(sa.update(campaigns.campaigns).values(halted_ms=5))

    change(sqlite, 3, mobile=person(1)[3])
    find_duplicates(sqlite, logs, campaign.id, lambda: False)
    send_in(sqlite, logs, campaign, (0,))

    assert as_stored(sqlite, campaign).prepared_at
    assert duplicates(sqlite) == [3]
    assert not any((logs / ".numbers").iterdir())


def test_numbers_that_were_read_long_ago_are_read_anew(sqlite, logs, monkeypatch):
    move_in(sqlite, [person(1), person(2), person(3)])
    campaign = trigger(sqlite, "a", SIZE, allow_duplicates=False)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("app.dedupe.find_duplicates._merge", dies)
        find_duplicates(sqlite, logs, campaign.id, lambda: False)
    monkeypatch.setattr(number_runs, "FRESH_S", 0.0)

    change(sqlite, 3, mobile=person(1)[3])
    find_duplicates(sqlite, logs, campaign.id, lambda: False)
    send_in(sqlite, logs, campaign, (0,))

    assert duplicates(sqlite) == [3]


def test_nobody_inherits_from_who_is_intended_and_not_on_record_yet(database):
    move_in(database, [person(each) for each in range(1, 21)])
    campaign = trigger(database, "a", SIZE, gateway="net")
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "me", doubt=Delivery.UNKNOWN)
    chunk = Chunk(0, 3, [1, 2, 3], [11, 12, 13], [1] * 3, [], Tally(sent=3, neutral=3))
    with writing(database) as connection:
        ledger.intend(connection, hold, chunk)

    with writing(database) as connection:
        assert heirs.claim(connection, campaign.id, {1: 15, 4: 16}, {1: 0, 4: 0}) == {4}
