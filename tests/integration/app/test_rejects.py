"""Who cannot be greeted is recorded, once, whatever dies; sent, rejected and gone are the audience."""

import json

import pytest
import sqlalchemy as sa

from app.audit import report as report_module
from app.audit.report import report
from app.campaigns.census import count_audiences
from app.campaigns.snapshot import snapshot
from app.domain.campaign import State
from app.domain.orders import Outcome, Rejected, ShardOrder
from app.domain.reject import Reason
from app.gateways.log_file.rejects import RejectLog, reject_log_path
from app.sending import journal as module
from app.sending.shard import send_shard
from app.store import rejects, shards
from app.store.database import writing
from app.store.tables import customers
from tests.integration.app.campaigns import after, run, send, shards_of, trigger, with_tables
from tests.integration.app.conftest import SHARD_SIZE
from tests.integration.app.people import Row, expected_logs, logs_of, move_in, person
from tests.integration.app.serving import IN_SMALL_PAGES, Product
from tests.waiting import until
from tests.words import words

BAD = {
    2: (2, "张伟", 1, ""),
    3: (3, " ", 0, "13800000003"),
    7: (7, "李娜", 0, "12345"),
    8: (8, "王芳", 0, "  "),
    14: (14, "", None, "0"),
    19: (19, "孙", 1, "138000000019"),
}
REASONS = {2: "no_mobile", 3: "no_name", 7: "bad_mobile", 8: "no_mobile", 14: "bad_mobile", 19: "bad_mobile"}
EVERYBODY: list[Row] = [BAD.get(number) or person(number) for number in range(1, 21)]
GOOD = [row for row in EVERYBODY if row[0] not in BAD]
SIZE = 10


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    monkeypatch.setattr(report_module, "PAGE_ROWS", 4)
    monkeypatch.setattr(rejects, "PAGE_ROWS", 1)
    monkeypatch.setattr(rejects, "INSERT_ROWS", 2)


def reject_logs(size: int = SIZE) -> dict[str, bytes]:
    """Worked out from the rows above."""
    logs: dict[str, bytes] = {}
    for number, reason in REASONS.items():
        name = f"task_{(number - 1) // size}.rejects.log"
        logs[name] = logs.get(name, b"") + f"{number} {reason}\n".encode()
    return logs


def recorded(database) -> dict[int, str]:
    with database.connect() as connection:
        rows = connection.execute(sa.text("SELECT customer_id, reason FROM rejects ORDER BY customer_id")).all()
    return dict(map(tuple, rows))


def differences(database, logs) -> list[str]:
    *_, whole = report(database, logs, "a")
    return [words(each) for task in whole.tasks for each in task.differences]


def execute(database, statement: str) -> None:
    with writing(database) as connection:
        connection.execute(sa.text(statement))


def test_who_cannot_be_greeted_is_in_the_table_and_the_log_of_rejects_and_nowhere_else(database, logs):
    move_in(database, EVERYBODY)

    run(database, logs, "a", SIZE)

    assert recorded(database) == REASONS
    assert logs_of(logs, "a") == expected_logs(GOOD, SIZE) | reject_logs()


def test_a_page_of_nothing_but_rejects_is_recorded_whole(database, logs, monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 100)
    move_in(database, [(number, "张", 1, "") for number in range(1, 8)])

    run(database, logs, "a", SIZE)

    assert recorded(database) == dict.fromkeys(range(1, 8), "no_mobile")
    assert logs_of(logs, "a")["task_0.log"] == b""


def test_sent_and_rejected_are_the_audience(database, logs):
    move_in(database, EVERYBODY)

    run(database, logs, "a", SIZE)

    now = snapshot(database, "a")
    assert (now.tally.sent, now.tally.rejected, now.tally.gone, now.tally.audience) == (14, 6, 0, 20)
    assert [each.tally.rejected for each in now.shards] == [4, 2]


@pytest.mark.parametrize("pages", [0, 1, 2, 3])
def test_a_shard_taken_up_again_has_its_rejects_once(database, logs, pages):
    move_in(database, EVERYBODY)
    campaign = trigger(database, "a", 100)
    send(database, logs, campaign, should_stop=after(pages))
    with reject_log_path(logs, "a", 0).open("ab") as log:
        log.write(b"99 no_na")

    assert send(database, logs, campaign) is Outcome.COMPLETE

    assert recorded(database) == REASONS
    assert logs_of(logs, "a") == expected_logs(GOOD, 100) | reject_logs(100)
    assert shards_of(database, campaign)[0].tally.rejected == len(REASONS)


@pytest.mark.parametrize("where", [(shards, "checkpoint"), (rejects, "insert"), (RejectLog, "append")])
def test_a_page_that_died_on_its_way_has_its_rejects_once(database, logs, monkeypatch, where):
    move_in(database, EVERYBODY)
    campaign = trigger(database, "a", 100)
    send(database, logs, campaign, should_stop=after(1))
    with monkeypatch.context() as context:
        context.setattr(*where, dies)
        with pytest.raises(ConnectionError):
            send(database, logs, campaign)
    before = recorded(database)

    send(database, logs, campaign)

    assert before == {2: "no_mobile", 3: "no_name"}
    assert recorded(database) == REASONS
    assert logs_of(logs, "a") == expected_logs(GOOD, 100) | reject_logs(100)


def dies(*_: object) -> None:
    raise ConnectionError("server has gone away")


def test_a_log_of_rejects_that_somebody_deleted_is_there_again(sqlite, logs):
    move_in(sqlite, EVERYBODY)
    campaign = trigger(sqlite, "a", 100)
    send(sqlite, logs, campaign, should_stop=after(2))
    reject_log_path(logs, "a", 0).unlink()

    send(sqlite, logs, campaign)

    assert logs_of(logs, "a")["task_0.rejects.log"] == reject_logs(100)["task_0.rejects.log"]


def test_a_log_of_rejects_that_cannot_be_written_blocks_its_shard_until_it_can(sqlite, logs):
    move_in(sqlite, EVERYBODY)
    campaign = trigger(sqlite, "a", 100)
    reject_log_path(logs, "a", 0).mkdir(parents=True)

    blocked = send(sqlite, logs, campaign)
    reject_log_path(logs, "a", 0).rmdir()

    assert (blocked, send(sqlite, logs, campaign)) == (Outcome.BLOCKED, Outcome.COMPLETE)
    assert logs_of(logs, "a") == expected_logs(GOOD, 100) | reject_logs(100)


def test_news_of_rejects_are_counts_once_and_at_the_end(sqlite, logs):
    move_in(sqlite, EVERYBODY)
    order = ShardOrder(trigger(sqlite, "a", 100).id, 0)
    news: list[Rejected] = []

    send_shard(
        sqlite,
        logs,
        order,
        slice_s=3600,
        should_stop=lambda: False,
        on_progress=lambda: None,
        on_rejected=news.append,
    )

    (whole,) = news
    assert whole.counts == {Reason.NO_MOBILE: 2, Reason.BAD_MOBILE: 3, Reason.NO_NAME: 1}


# ── the audience ────────────────────────────────────────────────────────────────────────────────


def test_who_was_deleted_after_the_trigger_is_gone(database, logs):
    move_in(database, EVERYBODY)
    trigger(database, "a", SIZE)
    count_audiences(database)
    execute(database, "DELETE FROM customers WHERE id IN (1, 2, 11, 12, 13)")

    run(database, logs, "a", SIZE)

    now = snapshot(database, "a")
    assert [(each.tally.sent, each.tally.rejected, each.tally.gone, each.tally.audience) for each in now.shards] == [
        (5, 3, 2, 10),
        (5, 2, 3, 10),
    ]
    assert now.tally.sent + now.tally.rejected + now.tally.gone == now.tally.audience == 20


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_an_audience_counted_while_it_is_sent_is_the_same(database, logs, pages, monkeypatch):
    monkeypatch.setattr("app.sending.shard.COUNTED_FIRST_IDS", 0)
    move_in(database, EVERYBODY)
    campaign = trigger(database, "a", 100)
    send(database, logs, campaign, should_stop=after(pages))

    counted = count_audiences(database)

    assert counted == 1
    assert snapshot(database, "a").tally.audience == 20
    assert snapshot(database, "a").tally.gone == 0


def test_what_is_counted_is_not_counted_again(sqlite):
    move_in(sqlite, EVERYBODY)
    trigger(sqlite, "a", SIZE)

    assert [count_audiences(sqlite), count_audiences(sqlite)] == [2, 0]


def test_who_moves_in_between_the_ids_while_it_is_sent_belongs_to_the_audience(sqlite, logs):
    move_in(sqlite, [person(1), person(9)])
    trigger(sqlite, "a", SIZE)
    count_audiences(sqlite)
    move_in(sqlite, [person(1), person(5), person(9), person(10)])

    run(sqlite, logs, "a", SIZE)

    now = snapshot(sqlite, "a")
    assert (now.tally.sent, now.tally.gone, now.tally.audience) == (3, 0, 3)


def test_who_is_deleted_while_nobody_has_counted_is_gone_in_a_small_shard_and_unknown_in_a_large_one(
    database, logs, monkeypatch
):
    def delete_somebody() -> bool:
        with writing(database) as connection:
            connection.execute(sa.delete(customers).where(customers.c.id == 20))
        return False

    for name, ids in (("small", 100), ("large", 10)):
        move_in(database, EVERYBODY)
        campaign = trigger(database, name, 100)
        monkeypatch.setattr("app.sending.shard.COUNTED_FIRST_IDS", ids)
        send(database, logs, campaign, should_stop=delete_somebody)
        count_audiences(database)
        with writing(database) as connection:
            shards.finish(connection, campaign.id, 0)

    assert [
        (each.tally.audience, each.tally.gone) for each in (snapshot(database, "small"), snapshot(database, "large"))
    ] == [
        (20, 1),
        (None, 0),
    ]


def test_a_shard_that_was_quicker_than_the_count_has_an_audience_all_the_same(sqlite, logs):
    move_in(sqlite, EVERYBODY)

    run(sqlite, logs, "a", SIZE)

    assert [each.tally.audience for each in snapshot(sqlite, "a").shards] == [10, 10]


# ── the report ──────────────────────────────────────────────────────────────────────────────────


def test_a_report_of_exact_rejects_agrees(database, logs):
    move_in(database, EVERYBODY)
    run(database, logs, "a", SIZE)

    *tasks, whole = report(database, logs, "a")

    assert whole.agrees
    assert [(each.tally.sent, each.tally.rejected, each.tally.gone, each.tally.audience) for each in tasks] == [
        (6, 4, 0, 10),
        (8, 2, 0, 10),
    ]


def test_a_report_of_a_campaign_under_way_finds_no_fault_with_its_rejects(sqlite, logs):
    move_in(sqlite, EVERYBODY)
    send(sqlite, logs, trigger(sqlite, "a", 100), should_stop=after(3))
    with reject_log_path(logs, "a", 0).open("ab") as log:
        log.write(b"14 bad_mo")

    assert differences(sqlite, logs) == ["not finished: 9 of 20 ids are done"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "DELETE FROM rejects WHERE customer_id = 7",
            ["1 customer is to be rejected and not on record so, id 7", "6 rejects counted, 5 on record"],
        ),
        (
            "UPDATE rejects SET reason = 'no_name' WHERE customer_id = 7",
            [
                "1 customer is to be rejected and not on record so, id 7",
                "1 customer is on record as rejected and not to be so, id 7",
            ],
        ),
        (
            "DELETE FROM customers WHERE id IN (7, 8)",
            ["2 customers are on record as rejected and not to be so, ids 7, 8"],
        ),
    ],
)
def test_a_table_of_rejects_that_is_not_what_the_customers_call_for_differs(database, logs, change, expected):
    move_in(database, EVERYBODY)
    run(database, logs, "a", 100)
    execute(database, change)

    found = differences(database, logs)

    assert [each for each in found if ".rejects.log" not in each] == expected


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not what is on record, from line 6 on"),
        (lambda path: path.write_bytes(b"2 no_mobile\n9 no_name\n"), "is not what is on record, from line 2 on"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "has more than is on record, from line 7 on"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
    ],
)
def test_a_log_of_rejects_that_was_tampered_with_differs(sqlite, logs, tamper, expected):
    move_in(sqlite, EVERYBODY)
    run(sqlite, logs, "a", 100)
    path = reject_log_path(logs, "a", 0)
    tamper(path)

    assert differences(sqlite, logs) == [f"{path} {expected}"]


def test_a_log_of_rejects_where_nobody_was_rejected_differs(sqlite, logs):
    move_in(sqlite, GOOD)
    run(sqlite, logs, "a", 100)
    path = reject_log_path(logs, "a", 0)
    path.write_text("1 no_name\n")

    assert differences(sqlite, logs) == [f"{path} has more than is on record, from line 1 on"]


# ── the whole product ───────────────────────────────────────────────────────────────────────────


def lines_of_rejects(product) -> list[str]:
    return [line.split("shard=")[1] for line in product.said().splitlines() if "not greeted" in line]


def test_a_server_says_in_one_line_a_shard_how_many_were_rejected_and_never_who(product):
    move_in(product.database, EVERYBODY)
    product.start()

    with product.client() as client:
        client.send('{"campaign": "a", "watch": true}')
        client.read_line()
        while (line := json.loads(client.read_line()))["state"] == State.RUNNING:
            pass

    assert (line["sent"], line["rejected"], line["gone"], line["audience"]) == (14, 6, 0, 20)
    assert [(each["sent"], each["rejected"], each["audience"]) for each in line["tasks"]] == [(6, 4, 10), (8, 2, 10)]
    until(lambda: len(lines_of_rejects(product)) == 2, what="a line for each shard")
    assert sorted(lines_of_rejects(product)) == ["0 no_mobile=2 bad_mobile=1 no_name=1", "1 bad_mobile=2"]
    assert not any(row[3] in product.said() for row in EVERYBODY if len(row[3]) > 9)  # a pid may be 1234
    assert logs_of(product.logs, "a") == expected_logs(GOOD, SHARD_SIZE) | reject_logs(SHARD_SIZE)


def test_the_only_event_worker_there_is_hears_of_rejects(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, worker_num=1, shard_size=100) as product:
        move_in(product.database, EVERYBODY)
        product.start()
        product.ask("a")

        assert product.wait_until_over("a") == State.FINISHED
        until(lambda: lines_of_rejects(product) == ["0 no_mobile=2 bad_mobile=3 no_name=1"], what="its line")


def test_a_server_killed_in_the_middle_rejects_everybody_once(migrated_url, tmp_path):
    size = 50_000
    people = [person(number) if number % 7 else (number, "张伟", 1, "") for number in range(1, 2 * size + 1)]
    with Product(migrated_url, tmp_path, task_worker_num=2, shard_size=size) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, people)
        product.start()
        product.ask("a")
        with product.frozen_halfway():
            product.kill_everything()
        product.start()
        assert product.wait_until_over("a") == State.FINISHED

        now = snapshot(product.database, "a")
        report_of_it = product.run("report", "a")

    assert report_of_it.returncode == 0, report_of_it.stdout
    assert (now.tally.sent, now.tally.rejected, now.tally.gone, now.tally.audience) == (85_715, 14_285, 0, 100_000)
    expected = expected_logs([row for row in people if row[3]], size)
    for task in range(2):
        rejected = [f"{number} no_mobile\n" for number in range(7, 100_001, 7) if (number - 1) // size == task]
        expected[f"task_{task}.rejects.log"] = "".join(rejected).encode()
    assert logs_of(product.logs, "a") == expected
