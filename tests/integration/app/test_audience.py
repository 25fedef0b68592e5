"""A campaign to a table or view of its own: those in it are greeted, each once, and nobody of `customers` is."""

import json
from collections import Counter

import pytest
import sqlalchemy as sa

from app.audit.find_late import find_late
from app.audit.find_messages import in_ledgers
from app.audit.ledger_report import LedgerReport, ledger_report
from app.audit.report import Report, report
from app.campaigns.census import count_audiences
from app.campaigns.control import control
from app.campaigns.finish import close_complete
from app.campaigns.late_run import send_late
from app.campaigns.preview import preview
from app.campaigns.retry import retry
from app.campaigns.snapshot import snapshot
from app.campaigns.start import dispatch
from app.dedupe.prepare_campaign import prepare_campaign
from app.domain.campaign import Verb
from app.domain.delivery import Delivery
from app.domain.orders import Outcome, PrepareOrder
from app.errors import BadRequest
from app.gateways.base import Answer
from app.gateways.log_file.folder import log_path, owner_of
from app.store import campaigns, shards
from app.store.database import writing
from tests.integration.app.audiences import COLUMNS, execute, settle
from tests.integration.app.campaigns import after, as_stored, run, send, trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, expected_logs, greeting, logs_of, move_in, person
from tests.integration.app.test_ledger import send as send_to_network
from tests.words import refused

VIPS = [(number, f"贵客{number}号", (0, 1, None)[number % 3], f"139{number:08}") for number in (2, 3, 5, 8, 13, 21, 34)]
EVERYBODY_ELSE = crowd(40)
VIEW = "CREATE VIEW vips AS SELECT id, name, gender, mobile, city FROM guests WHERE city = '上海'"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 3)
    monkeypatch.setattr("app.audit.report.PAGE_ROWS", 4)


@pytest.fixture(params=["table", "view"])
def vips(database, request):
    """A database with an audience `vips`, some of whose ids customers have as well."""
    move_in(database, EVERYBODY_ELSE)
    if request.param == "table":
        settle(database, "vips", VIPS)
    else:
        settle(database, "guests", VIPS)
        execute(database, "INSERT INTO guests VALUES (4, '外地', 1, '13900000004', '北京')", VIEW)
    return database


def whole(steps, kind):
    return next(each for each in steps if isinstance(each, kind))


def test_those_of_the_audience_are_greeted_and_nobody_else_with_columns_of_theirs(vips, logs):
    campaign = run(vips, logs, "a", 10, "{name} {city}", ["city"], audience="vips")

    lines = b"".join(text for name, text in sorted(logs_of(logs, "a").items())).decode()
    assert campaign.audience == "vips"
    assert lines.splitlines() == [f"{row[1]} 上海" for row in VIPS]
    assert whole(report(vips, logs, "a"), Report).agrees


def test_a_report_of_an_audience_is_counted_by_those_in_it(vips, logs):
    run(vips, logs, "a", 10, audience="vips")
    count_audiences(vips)

    found = whole(report(vips, logs, "a"), Report)

    assert found.agrees
    assert snapshot(vips, "a").tally.audience == snapshot(vips, "a").tally.sent == len(VIPS)


def test_a_network_is_handed_those_of_the_audience_alone(vips, logs):
    campaign, network = trigger(vips, "a", 100, gateway="net", audience="vips"), Network()

    assert send_to_network(vips, logs, campaign, network) is Outcome.COMPLETE

    check(vips, campaign)
    assert network.numbers == Counter(int(row[3]) for row in VIPS)
    assert whole(ledger_report(vips, "a"), LedgerReport).differences == []


def refuse_the_fifth(number, each):
    return Answer(each.token, Delivery.REFUSED, error="full") if each.token == 5 else taken(number, each)


def test_a_message_is_tried_again_with_what_the_audience_says_of_its_customer(vips, logs):
    campaign, network = trigger(vips, "a", 100, gateway="net", audience="vips"), Network(fate=refuse_the_fifth)
    send_to_network(vips, logs, campaign, network)
    again = Network()

    assert retry(vips, snapshot(vips, "a"), Delivery.REFUSED) == 1
    assert send_to_network(vips, logs, campaign, again) is Outcome.COMPLETE

    assert [number for _, number, _ in again.log] == [13900000005]
    assert {row.state for row in rows_of(vips, campaign)} == {Delivery.ACCEPTED}


def test_duplicates_are_those_within_the_audience(database, logs):
    move_in(database, [person(1), person(2)])
    settle(database, "vips", [person(2), (3, "李娜", 0, person(2)[3]), person(4)])
    campaign = trigger(database, "a", 100, allow_duplicates=False, audience="vips")

    prepare_campaign(database, logs, PrepareOrder(campaign.id), should_stop=lambda: False)
    send(database, logs, campaign)

    assert logs_of(logs, "a")["task_0.log"].decode() == greeting(person(2)) + greeting(person(4))
    assert logs_of(logs, "a")["task_0.rejects.log"] == b"3 duplicate\n"


def test_a_log_that_was_changed_is_mended_with_those_of_the_audience(vips, logs):
    campaign = trigger(vips, "a", 100, audience="vips")
    send(vips, logs, campaign)
    path = log_path(logs, "a", 0)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    with writing(vips) as connection:
        shards.finish(connection, campaign.id, 0)
    close_complete(vips, logs, owner_of(logs))

    control(vips, logs, "a", Verb.RESUME)
    send(vips, logs, campaign)

    assert logs_of(logs, "a")["task_0.log"] == expected_logs(VIPS, 100)["task_0.log"]


def test_who_comes_late_into_an_audience_gets_a_second_run(database, logs):
    move_in(database, EVERYBODY_ELSE)
    settle(database, "vips", [*VIPS[:2], *VIPS[3:]])
    run(database, logs, "a", 10, audience="vips")
    execute(database, f"INSERT INTO vips VALUES (5, '{VIPS[2][1]}', NULL, '{VIPS[2][3]}', '上海')")

    found = find_late(database, logs, snapshot(database, "a"))
    number = send_late(database, logs, snapshot(database, "a"), found.late)
    send(database, logs, as_stored(database, campaign_of(database)), number)

    assert list(found.late.ids) == [5]
    assert VIPS[2][3] in logs_of(logs, "a")[f"task_{number}.log"].decode()


def campaign_of(database):
    return snapshot(database, "a").campaign


def test_who_joins_the_audience_after_the_trigger_with_a_higher_id_is_not_greeted(database, logs):
    settle(database, "vips", VIPS)
    campaign = trigger(database, "a", 100, audience="vips")
    execute(database, "INSERT INTO vips VALUES (35, '后来', 1, '13900000035', '上海')")

    send(database, logs, campaign)

    assert logs_of(logs, "a")["task_0.log"] == expected_logs(VIPS, 100)["task_0.log"]


def test_a_restart_goes_on_with_the_audience(vips, logs):
    campaign = trigger(vips, "a", 100, audience="vips")
    send(vips, logs, campaign, should_stop=after(1))

    assert send(vips, logs, campaign) is Outcome.COMPLETE
    assert logs_of(logs, "a")["task_0.log"] == expected_logs(VIPS, 100)["task_0.log"]


def test_small_shards_of_several_audiences_are_counted_each_by_its_own(database):
    move_in(database, EVERYBODY_ELSE)
    settle(database, "vips", VIPS)
    settle(database, "gone", VIPS)
    for name, audience in (("a", None), ("b", "vips"), ("c", "gone")):
        trigger(database, name, 100, audience=audience)
    execute(database, "DROP TABLE gone")

    count_audiences(database)

    counted = [snapshot(database, name).tally.audience for name in "abc"]
    assert counted == [40, len(VIPS), None]


def test_a_shard_whose_audience_is_gone_waits_and_says_so(database, logs):
    settle(database, "vips", VIPS)
    campaign = trigger(database, "a", 100, audience="vips")
    execute(database, "DROP TABLE vips")

    assert send(database, logs, campaign) is Outcome.BLOCKED

    settle(database, "vips", VIPS)
    assert send(database, logs, campaign) is Outcome.COMPLETE


def test_the_name_of_a_campaign_stands_for_its_audience(vips):
    first = dispatch(vips, "a", 10, audience="vips")

    for other in ("customers", "nobody"):
        with refused(BadRequest, "already used for a campaign to the audience vips"):
            dispatch(vips, "a", 10, audience=other)
    assert dispatch(vips, "a", 10).campaign.audience == "vips"
    assert not dispatch(vips, "a", 10, audience="vips").created
    assert dispatch(vips, "b", 10).campaign.audience == "customers"
    with refused(BadRequest, "already used for a campaign to the audience customers"):
        dispatch(vips, "b", 10, audience="vips")
    assert first.created


@pytest.mark.parametrize(
    "name", ["", "a b", "v`ips", 'v"ips', "a.b", "-x", "%s", "{x}", "x" * 65, "x;y", "客户\U00020bb7"]
)
def test_a_name_that_could_mean_something_else_in_a_statement_is_refused(sqlite, name):
    with pytest.raises(BadRequest, match=r"bad_audience\.name"):
        dispatch(sqlite, "a", 10, audience=name)


@pytest.mark.parametrize("name", ["vips", "2024_春-促销", "order", "select", "page"])
def test_any_other_name_is_one(database, logs, name):
    settle(database, name, VIPS)

    run(database, logs, "a", 100, "{mobile} {id} {city}", ["city"], audience=name)

    assert logs_of(logs, "a")["task_0.log"].decode().splitlines() == [f"{row[3]} {row[0]} 上海" for row in VIPS]


@pytest.mark.parametrize("name", ["messages", "CAMPAIGNS", "alembic_version", "shards"])
def test_a_table_of_our_own_is_no_audience(database, name):
    with pytest.raises(BadRequest, match=r"bad_audience\.ours"):
        dispatch(database, "a", 10, audience=name)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        (COLUMNS.replace("mobile", "phone"), "no_column"),
        (COLUMNS.replace(" PRIMARY KEY", ""), "no_index"),
        (COLUMNS.replace(" PRIMARY KEY", "") + ", PRIMARY KEY (id, mobile)", "no_index"),
        (COLUMNS.replace("id INT", "id VARCHAR(9)"), "not_integer"),
        (COLUMNS.replace("gender INT", "gender VARCHAR(9)"), "not_integer"),
        (COLUMNS.replace("mobile VARCHAR(20)", "mobile BIGINT"), "not_text"),
    ],
)
def test_a_table_that_cannot_be_worked_with_is_refused_with_the_reason(database, columns, code):
    settle(database, "vips", [], columns)

    with pytest.raises(BadRequest, match=rf"bad_audience\.{code}"):
        dispatch(database, "a", 10, audience="vips")
    with pytest.raises(BadRequest, match=r"bad_audience\.not_there"):
        dispatch(database, "a", 10, audience="vip")


def test_a_unique_index_is_as_good_as_a_primary_key(database, logs):
    settle(database, "vips", VIPS, COLUMNS.replace("PRIMARY KEY", "NOT NULL UNIQUE"))

    assert run(database, logs, "a", 100, audience="vips")


def test_a_view_in_which_an_id_stands_twice_is_refused(database):
    settle(database, "guests", VIPS)
    execute(database, "CREATE TABLE stays (guest INT, day INT, PRIMARY KEY (guest, day))")
    execute(database, "INSERT INTO stays VALUES (2, 1), (8, 1), (8, 2)")
    execute(
        database,
        "CREATE VIEW vips AS SELECT guests.id, name, gender, mobile FROM guests JOIN stays ON guests.id = stays.guest",
    )

    with pytest.raises(BadRequest, match=r"bad_audience\.twice") as told:
        dispatch(database, "a", 10, audience="vips")
    assert told.value.sentence.facts["id"] == 8


def test_an_id_that_comes_to_stand_twice_in_a_view_is_greeted_once(database, logs):
    settle(database, "guests", VIPS)
    execute(database, "CREATE TABLE stays (guest INT, day INT, PRIMARY KEY (guest, day))")
    execute(database, "INSERT INTO stays SELECT id, 1 FROM guests")
    execute(
        database,
        "CREATE VIEW vips AS SELECT guests.id, name, gender, mobile FROM guests JOIN stays ON guests.id = stays.guest",
    )
    campaign = trigger(database, "a", 100, allow_duplicates=False, audience="vips")
    execute(database, "INSERT INTO stays SELECT id, 2 FROM guests")

    prepare_campaign(database, logs, PrepareOrder(campaign.id), should_stop=lambda: False)
    send(database, logs, campaign)

    assert logs_of(logs, "a")["task_0.log"] == expected_logs(VIPS, 100)["task_0.log"]


def test_a_view_in_which_somebody_has_no_id_is_refused(database):
    settle(database, "guests", VIPS)
    execute(database, "CREATE TABLE names (guest INT PRIMARY KEY, number INT)")
    execute(database, "INSERT INTO names VALUES (2, 2), (3, NULL)")
    execute(
        database,
        "CREATE VIEW vips AS SELECT names.number AS id, guests.name, gender, mobile"
        " FROM guests JOIN names ON guests.id = names.guest",
    )

    with pytest.raises(BadRequest, match=r"bad_audience\.no_(ids|index)"):
        dispatch(database, "a", 10, audience="vips")


def test_an_id_beyond_what_can_be_recorded_is_refused(database):
    settle(database, "vips", [(2**32, "张伟", 1, "13900000001")], COLUMNS.replace("id INT ", "id BIGINT "))

    with pytest.raises(BadRequest, match=r"bad_audience\.high_ids"):
        dispatch(database, "a", 10, audience="vips")


def test_a_view_whose_id_no_index_finds_is_refused(mysql):
    settle(mysql, "guests", [])
    numbers = ", ".join(f"({number}, '张伟', 1, '139{number:08}', '上海')" for number in range(1, 3001))
    execute(mysql, f"INSERT INTO guests VALUES {numbers}", "ANALYZE TABLE guests")
    execute(mysql, "CREATE VIEW vips AS SELECT id + 1 AS id, name, gender, mobile FROM guests")
    execute(mysql, "CREATE VIEW good AS SELECT id, name, gender, mobile FROM guests")

    with pytest.raises(BadRequest, match=r"bad_audience\.no_index"):
        dispatch(mysql, "a", 5000, audience="vips")
    assert dispatch(mysql, "a", 5000, audience="good").created


def test_a_preview_shows_the_audience(vips):
    seen = preview(vips, "{name}", audience="vips")

    assert seen.estimate.audience == len(VIPS)
    assert [each.text for each in seen.examples] == [VIPS[0][1], VIPS[3][1], VIPS[6][1]]
    assert preview(vips, "{name}", 13, audience="vips").examples[0].text == VIPS[4][1]


def test_somebody_is_found_by_the_ids_of_their_own_audience(database, logs):
    move_in(database, EVERYBODY_ELSE)
    settle(database, "vips", VIPS)
    for name, audience in (("a", None), ("b", "vips")):
        campaign = trigger(database, name, 100, gateway="net", audience=audience)
        send_to_network(database, logs, campaign, Network())

    def found(**of):
        return [(each.campaign.name, each.row.mobile) for each in in_ledgers(database, **of)]

    assert found(mobile=13800000005, customer_id=5) == [("a", 13800000005)]
    assert found(mobile=13900000005, customer_id=5, audience="vips") == [("b", 13900000005)]
    assert found(mobile=13900000005, customer_id=None) == [("b", 13900000005)]


def test_the_commands_take_an_audience(app, sqlite):
    move_in(sqlite, EVERYBODY_ELSE)
    settle(sqlite, "vips", VIPS)

    assert json.loads(app("preview", "--audience", "vips", "--json").out)["estimate"]["audience"] == len(VIPS)
    assert "no table or view nobody" in app("preview", "--audience", "nobody").err
    assert "a table in which campaigns are kept" in app("find", "--customer", "2", "--audience", "messages").err


def test_the_doctor_looks_at_audiences_of_campaigns_that_are_not_over(app, sqlite):
    settle(sqlite, "vips", VIPS)
    trigger(sqlite, "a", 100, audience="vips")
    assert "vips can be read" in app("doctor").out

    execute(sqlite, "DROP TABLE vips")

    ended = app("doctor")
    assert ended.code == 1
    assert "there is no table or view vips" in ended.out and "or cancel the campaign" in ended.out


def test_a_running_server_takes_an_audience(server, tmp_path):
    settle(server.database, "vips_of_a_server", VIPS)

    ended = server.run("trigger", "to-vips", "--audience", "vips_of_a_server", "--watch")

    assert ended.returncode == 0, ended.stderr
    assert logs_of(server.logs, "to-vips")["task_0.log"] == expected_logs(VIPS, 10)["task_0.log"]
    with server.database.connect() as connection:
        assert campaigns.find(connection, "to-vips").audience == "vips_of_a_server"
    assert sa.inspect(server.database).has_table("vips_of_a_server")
