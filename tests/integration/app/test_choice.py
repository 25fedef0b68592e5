"""A campaign for some of its audience: those of certain ids, or a sample, fixed at the trigger, and nobody else."""

from collections import Counter

import pytest
import sqlalchemy as sa

from app.audit.find_late import find_late
from app.audit.ledger_report import LedgerReport, ledger_report
from app.audit.report import Report, report
from app.campaigns import prune
from app.campaigns.census import count_audiences
from app.campaigns.choosing import choose
from app.campaigns.control import control
from app.campaigns.finish import close_complete
from app.campaigns.late_run import send_late
from app.campaigns.preview import estimate
from app.campaigns.retry import retry
from app.campaigns.snapshot import snapshot
from app.campaigns.spending import Spending
from app.campaigns.start import dispatch
from app.dedupe.prepare_campaign import prepare_campaign
from app.domain.campaign import Verb
from app.domain.choice import HIGHEST_ID, Sample, these
from app.domain.delivery import Delivery
from app.domain.greeting import compile_template
from app.domain.orders import Outcome, PrepareOrder
from app.domain.price import Price
from app.domain.sharding import IdRange
from app.errors import BadRequest
from app.gateways.log_file.folder import log_path, owner_of
from app.store import chosen, id_lists, shards
from app.store.database import writing
from app.store.tables import chosen as chosen_table
from app.store.tables import id_lists as lists_table
from tests.integration.app.audiences import execute, settle
from tests.integration.app.campaigns import after, as_stored, run, send, shards_of, trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, expected_logs, greeting, logs_of, move_in, person
from tests.integration.app.test_audience import refuse_the_fifth
from tests.integration.app.test_ledger import Killed, die_at
from tests.integration.app.test_ledger import send as send_to_network
from tests.integration.app.test_prune import end
from tests.words import refused

CROWD = crowd(40)
IDS = [2, 3, 5, 8, 13, 34]
MEANT = [CROWD[each - 1] for each in IDS]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    for of in ("app.sending.journal.PAGE_ROWS", "app.sending.feed.PAGE_ROWS", "app.audit.report.PAGE_ROWS"):
        monkeypatch.setattr(of, 3)
    monkeypatch.setattr("app.store.chosen.IDS_IN_A_ROW", 2)
    monkeypatch.setattr("app.campaigns.choosing.IDS_AT_ONCE", 4)


@pytest.fixture
def crowded(database):
    move_in(database, CROWD)
    return database


def whole(steps, kind):
    return next(each for each in steps if isinstance(each, kind))


def lines_of(logs, name):
    return b"".join(logs_of(logs, name)[each] for each in sorted(logs_of(logs, name)) if "rejects" not in each).decode()


def test_those_of_the_ids_are_greeted_and_nobody_else(crowded, logs):
    campaign = run(crowded, logs, "a", 10, choice=these(reversed(IDS)))
    count_audiences(crowded)

    assert lines_of(logs, "a") == "".join(map(greeting, MEANT))
    assert [each.number for each in shards_of(crowded, campaign)] == [0, 1, 3]
    tally = snapshot(crowded, "a").tally
    assert (tally.audience, tally.sent, tally.rejected, tally.gone) == (len(IDS), len(IDS), 0, 0)
    found = whole(report(crowded, logs, "a"), Report)
    assert (found.agrees, found.late) == (True, 0)


def test_ids_that_nobody_has_are_counted_and_belong_to_nobody_later(crowded, logs):
    done = dispatch(crowded, "a", 100, allow_duplicates=True, choice=these([*IDS, 41, 50]))
    execute(crowded, "INSERT INTO customers (id, name, gender, mobile) VALUES (41, '后来', 1, '13900000041')")

    send(crowded, logs, done.campaign)

    assert (done.chosen, done.not_there) == (len(IDS), 2)
    assert lines_of(logs, "a") == "".join(map(greeting, MEANT))


def test_ids_of_which_nobody_has_any_start_nothing(crowded):
    with refused(BadRequest, "nobody in customers has any of the 2 ids"):
        dispatch(crowded, "a", 10, choice=these([77, 88]))

    assert dispatch(crowded, "a", 10).created


def test_who_of_them_is_deleted_before_their_turn_is_gone(crowded, logs):
    campaign = trigger(crowded, "a", 100, choice=these(IDS))
    execute(crowded, "DELETE FROM customers WHERE id IN (4, 5)")

    send(crowded, logs, campaign)
    with writing(crowded) as connection:
        shards.finish(connection, campaign.id, 0)

    tally = snapshot(crowded, "a").tally
    assert (tally.audience, tally.sent, tally.gone) == (6, 5, 1)
    assert whole(report(crowded, logs, "a"), Report).agrees


def test_a_network_is_handed_those_alone_and_its_report_knows(crowded, logs):
    campaign, network = trigger(crowded, "a", 100, gateway="net", choice=these(IDS)), Network()

    assert send_to_network(crowded, logs, campaign, network) is Outcome.COMPLETE

    check(crowded, campaign)
    assert network.numbers == Counter(int(row[3]) for row in MEANT)
    found = whole(ledger_report(crowded, "a"), LedgerReport)
    assert (found.differences, found.agrees_so_far, found.tasks[0].late) == ([], True, [])


def test_a_message_of_theirs_is_tried_again(crowded, logs):
    campaign = trigger(crowded, "a", 100, gateway="net", choice=these(IDS))
    send_to_network(crowded, logs, campaign, Network(fate=refuse_the_fifth))
    again = Network()

    assert retry(crowded, snapshot(crowded, "a"), Delivery.REFUSED) == 1
    assert send_to_network(crowded, logs, campaign, again) is Outcome.COMPLETE

    assert [number for _, number, _ in again.log] == [13800000005]
    assert {row.state for row in rows_of(crowded, campaign)} == {Delivery.ACCEPTED}


@pytest.mark.parametrize("which", [0, 499, 500, 699])
@pytest.mark.parametrize("far_apart", [1, 3])
def test_killed_while_a_network_is_handed_them_nobody_gets_it_twice_and_nobody_else_does(
    database, logs, which, far_apart
):
    move_in(database, crowd(700 * far_apart + 100))
    ids = list(range(1, 700 * far_apart + 1, far_apart))
    campaign, network = trigger(database, "a", 10_000, gateway="net", choice=these(ids)), Network(fate=die_at(which))

    with pytest.raises(Killed):
        send_to_network(database, logs, campaign, network)
    network.fate = taken
    assert send_to_network(database, logs, campaign, network) is Outcome.COMPLETE

    tally = check(database, campaign).tally
    assert max(network.numbers.values()) == 1
    assert [row.customer_id for row in rows_of(database, campaign)] == ids
    assert (tally.audience, tally.accepted + tally.unknown) == (700, 700)
    assert whole(ledger_report(database, "a"), LedgerReport).agrees_so_far


@pytest.mark.parametrize(
    "ids", [[2, 3, 4, 9], [2, 3, 30, 40], [39, 40]], ids=["near each other", "far apart", "at the end"]
)
def test_a_number_is_taken_by_those_alone_who_are_meant(database, logs, ids):
    shared = person(1)[3]
    people = [(each[0], each[1], each[2], shared if each[0] in {1, 3, 9, 39, 40} else each[3]) for each in CROWD]
    move_in(database, people)
    campaign = trigger(database, "a", 100, allow_duplicates=False, choice=these(ids))

    prepare_campaign(database, logs, PrepareOrder(campaign.id), should_stop=lambda: False)
    send(database, logs, campaign)

    assert lines_of(logs, "a") == "".join(greeting(people[each - 1]) for each in ids[:-1])
    assert logs_of(logs, "a")["task_0.rejects.log"].decode() == f"{ids[-1]} duplicate\n"


def test_a_restart_goes_on_with_those(crowded, logs):
    campaign = trigger(crowded, "a", 100, choice=these(IDS))
    assert send(crowded, logs, campaign, should_stop=after(1)) is Outcome.STOPPED

    assert send(crowded, logs, campaign) is Outcome.COMPLETE

    assert lines_of(logs, "a") == "".join(map(greeting, MEANT))


def test_a_log_that_was_changed_is_mended_with_those(crowded, logs):
    campaign = trigger(crowded, "a", 100, choice=these(IDS))
    send(crowded, logs, campaign)
    path = log_path(logs, "a", 0)
    path.write_bytes(path.read_bytes().split(b"\n", 2)[2] + greeting(CROWD[3]).encode())
    with writing(crowded) as connection:
        shards.finish(connection, campaign.id, 0)
    close_complete(crowded, logs, owner_of(logs))

    control(crowded, logs, "a", Verb.RESUME)
    send(crowded, logs, campaign)

    assert lines_of(logs, "a") == "".join(map(greeting, MEANT))


def test_a_second_run_is_for_those_of_them_who_were_not_met(crowded, logs):
    campaign = trigger(crowded, "a", 10, choice=these(IDS))
    execute(crowded, "DELETE FROM customers WHERE id = 13")
    for shard in shards_of(crowded, campaign):
        send(crowded, logs, campaign, shard.number)
        with writing(crowded) as connection:
            shards.finish(connection, campaign.id, shard.number)
    close_complete(crowded, logs, owner_of(logs))
    execute(crowded, f"INSERT INTO customers (id, name, gender, mobile) VALUES (13, '回来', 1, '{CROWD[12][3]}')")

    found = find_late(crowded, logs, snapshot(crowded, "a"))
    number = send_late(crowded, logs, snapshot(crowded, "a"), found.late)
    send(crowded, logs, as_stored(crowded, campaign), number)

    with writing(crowded) as connection:
        shards.finish(connection, campaign.id, number)

    assert list(found.late.ids) == [13]
    assert lines_of(logs, "a").count("\n") == len(IDS)
    assert whole(report(crowded, logs, "a"), Report).agrees
    assert not find_again(crowded, logs)


def find_again(database, logs):
    close_complete(database, logs, owner_of(logs))
    return find_late(database, logs, snapshot(database, "a")).late.ids


def test_who_is_sent_to_all_pays_nothing_for_it(sqlite, logs):
    move_in(sqlite, CROWD)
    statements: list[str] = []
    sa.event.listen(sqlite, "before_cursor_execute", lambda *args: statements.append(args[2]))

    run(sqlite, logs, "a", 10)
    whole(report(sqlite, logs, "a"), Report)

    assert not any("FROM chosen" in each or "INTO chosen" in each for each in statements)


def test_a_sample_has_so_many_and_the_same_ones_for_the_same_name(crowded, logs):
    run(crowded, logs, "spring", 10, choice=Sample(7))
    once = choose(crowded, "customers", Sample(7), "spring")

    assert lines_of(logs, "spring") == "".join(greeting(CROWD[each - 1]) for each in once)
    assert len(once) == 7
    assert list(choose(crowded, "customers", Sample(7), "spring")) == list(once)
    assert any(list(choose(crowded, "customers", Sample(7), name)) != list(once) for name in ("summer", "autumn"))
    assert {*once} < {*choose(crowded, "customers", Sample(8), "spring")}


def test_a_sample_greater_than_the_audience_is_all_of_it(crowded, logs):
    run(crowded, logs, "a", 10, choice=Sample(1000))

    assert logs_of(logs, "a") == expected_logs(CROWD, 10)
    assert snapshot(crowded, "a").tally.audience == len(CROWD)


def test_a_sample_is_spread_evenly(sqlite, monkeypatch):
    monkeypatch.setattr("app.campaigns.choosing.IDS_AT_ONCE", 1000)
    move_in(sqlite, [person(each) for each in range(1, 8001)])

    found = choose(sqlite, "customers", Sample(2000), "spring")

    by_quarter = Counter((each - 1) // 2000 for each in found)
    assert len(found) == len({*found}) == 2000
    assert all(400 < count < 600 for count in by_quarter.values())


def test_a_sample_of_nobody_is_finished_at_once(database):
    assert dispatch(database, "a", 10, choice=Sample(5)).campaign.state == "finished"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"template": "{nothing}"}, "placeholder"),
        ({"gateway": "nowhere"}, "gateway"),
        ({"gateway": "net", "template": "long " * 800}, "too long"),
    ],
)
def test_for_what_is_refused_anyway_nobody_is_looked_at(sqlite, monkeypatch, asked, why):
    monkeypatch.setattr("app.campaigns.start.choose", lambda *_: pytest.fail("everybody was read"))

    with refused(BadRequest, why):
        dispatch(sqlite, "a", 10, choice=Sample(1), networks={"net": Network()}, **asked)


def test_some_of_another_audience_are_meant_by_its_own_ids(crowded, logs):
    guests = [(each, f"贵客{each}号", 1, f"139{each:08}") for each in (2, 5, 7)]
    settle(crowded, "vips", guests)

    campaign = trigger(crowded, "a", 100, audience="vips", choice=these([2, 3, 7]))
    send(crowded, logs, campaign)

    assert lines_of(logs, "a") == greeting(guests[0]) + greeting(guests[2])


def test_the_name_of_a_campaign_stands_for_those_whom_it_is_for(crowded):
    first = dispatch(crowded, "a", 10, choice=these(IDS))
    dispatch(crowded, "all", 10)
    dispatch(crowded, "some", 10, choice=Sample(3))

    assert not dispatch(crowded, "a", 10, choice=these([*IDS, *IDS])).created
    assert not dispatch(crowded, "some", 10, choice=Sample(3)).created
    assert dispatch(crowded, "a", 10).campaign.id == first.campaign.id
    for name, other in (("a", these([2])), ("a", Sample(6)), ("all", these(IDS)), ("some", Sample(4))):
        with refused(BadRequest, "already used for a campaign to others of customers"):
            dispatch(crowded, name, 10, choice=other)


def test_a_name_stands_for_the_ids_that_were_given_whoever_came_or_went_since(crowded):
    dispatch(crowded, "a", 10, choice=these([*IDS, 50]))
    execute(crowded, "DELETE FROM customers WHERE id = 2")

    assert not dispatch(crowded, "a", 10, choice=these([*IDS, 50])).created
    with refused(BadRequest, "already used"):
        dispatch(crowded, "a", 10, choice=these(IDS))


def test_what_it_costs_is_that_of_those_alone(crowded, monkeypatch):
    net = Network()
    monkeypatch.setattr(net, "price", Price(1, "CNY"), raising=False)
    template = compile_template("{name}")

    assert estimate(crowded, "customers", template, net, IDS).total_sms == len(IDS)
    networks = {net.name: net}
    with pytest.raises(BadRequest, match="unconfirmed_cost"):
        dispatch(
            crowded, "b", 10, template="{name}", gateway=net.name, networks=networks, spending=Spending(5.0),
            choice=these(IDS),
        )  # fmt: skip
    some = these(IDS[:5])
    more = {"template": "{name}", "gateway": net.name, "networks": networks, "spending": Spending(5.0)}
    assert dispatch(crowded, "b", 10, **more, choice=some).created


def test_whom_it_was_for_is_pruned_with_the_rest(crowded, logs):
    campaign = run(crowded, logs, "a", 10, choice=these(IDS))
    end(crowded, campaign)
    found = prune.find(crowded, logs, campaign.finished_at)
    before = count(crowded, chosen_table)
    with writing(crowded) as connection:
        id_lists.insert(connection, IDS)
    execute(crowded, "UPDATE id_lists SET made_at = '2020-01-01'")

    list(prune.prune(crowded, logs, found, campaign.finished_at))

    assert before == 3
    assert count(crowded, chosen_table) == count(crowded, lists_table) == 0
    assert snapshot(crowded, "a").tally.audience == len(IDS)


def count(database, table):
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_ids_are_stored_as_they_are_in_rows_of_many(database, monkeypatch):
    monkeypatch.setattr("app.store.id_lists.IDS_IN_A_ROW", 3)
    ids = [1, 2, 3, 500, 70_000, HIGHEST_ID - 1, HIGHEST_ID]

    with writing(database) as connection:
        name, other = id_lists.insert(connection, ids), id_lists.insert(connection, [9])
        assert list(id_lists.read(connection, name)) == ids
        id_lists.remove(connection, name)
        assert [list(id_lists.read(connection, each)) for each in (name, other)] == [[], [9]]


def test_a_list_that_a_killed_command_left_is_removed_by_a_later_one(database):
    with writing(database) as connection:
        id_lists.insert(connection, IDS)
    execute(database, "UPDATE id_lists SET made_at = '2020-01-01'")

    with writing(database) as connection:
        id_lists.insert(connection, [1])

    assert count(database, lists_table) == 1


def test_those_of_a_stretch_are_read_by_their_place(crowded):
    campaign = trigger(crowded, "a", 100, choice=these(IDS))

    with crowded.connect() as connection:
        for stretch in (IdRange(0, 0, 40), IdRange(0, 2, 8), IdRange(0, 4, 4), IdRange(0, 13, 33)):
            found = chosen.between(connection, campaign.id, stretch.after_id, stretch.to_id)
            assert list(found) == [each for each in IDS if stretch.after_id < each <= stretch.to_id]
