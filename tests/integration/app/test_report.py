"""The report says yes to logs that are exact, and names what differs in all others."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.audit import report as module
from app.audit.report import Report, report
from app.errors import UnknownCampaign
from app.gateways.log_file.folder import log_path
from app.store import shards
from app.store.database import writing
from app.store.tables import customers
from tests.integration.app.campaigns import after, run, send, trigger
from tests.integration.app.people import greeting, move_in, person
from tests.words import refused, words

ROWS = [person(number, f"客户{number}号", (0, 1, None)[number % 3]) for number in range(1, 21)]
ALL_ON_RECORD = "20 messages are on record, {} right in the log"

Lines = list[bytes]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 6)


def check(database: Engine, logs: Path, name: str = "a") -> Report:
    *_, whole = report(database, logs, name)
    assert isinstance(whole, Report)
    return whole


def differences(database: Engine, logs: Path) -> list[str]:
    return [words(each) for task in check(database, logs).tasks for each in task.differences]


def test_exact_logs_agree_and_are_counted(database, logs):
    move_in(database, ROWS)
    run(database, logs, "a", 8)

    whole = check(database, logs)

    assert whole.agrees
    assert [each.tally.sent for each in whole.tasks] == [8, 8, 4]
    tallies = [each.tally for each in whole.tasks]
    assert [(each.female, each.male, each.neutral) for each in tallies] == [(2, 3, 3), (3, 3, 2), (1, 1, 2)]
    assert [(each.first_mobile, each.last_mobile) for each in whole.tasks] == [
        ("13800000001", "13800000008"),
        ("13800000009", "13800000016"),
        ("13800000017", "13800000020"),
    ]
    assert [each.bytes for each in whole.tasks] == [log_path(logs, "a", task).stat().st_size for task in range(3)]


def test_a_template_of_ones_own_is_checked_as_well(database, logs):
    move_in(database, ROWS)
    run(database, logs, "a", 8, "{name}{{}}")

    assert check(database, logs).agrees


def test_a_shard_in_which_nobody_lives_any_more_agrees(sqlite, logs):
    move_in(sqlite, [person(1), person(11), person(30)])
    campaign = trigger(sqlite, "a", 10)
    move_in(sqlite, [person(1), person(30)])
    for number in range(3):
        send(sqlite, logs, campaign, number)
        with writing(sqlite) as connection:
            shards.finish(connection, campaign.id, number)

    whole = check(sqlite, logs)

    assert whole.agrees
    assert [(each.tally.sent, each.first_mobile, each.last_mobile) for each in whole.tasks][1] == (0, "", "")


def test_an_empty_table_agrees(sqlite, logs):
    run(sqlite, logs, "a", 10)

    assert check(sqlite, logs).agrees


def test_a_campaign_under_way_is_not_finished_and_otherwise_right(sqlite, logs, monkeypatch):
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 5)
    move_in(sqlite, ROWS)
    send(sqlite, logs, trigger(sqlite, "a", 100), should_stop=after(2))
    with log_path(logs, "a", 0).open("ab") as log:
        log.write(b"a page that is on its way")

    assert differences(sqlite, logs) == ["not finished: 10 of 20 ids are done"]


def test_the_table_of_a_campaign_under_way_says_so_far_unless_something_differs(app, sqlite, logs, small_pages):
    move_in(sqlite, ROWS)
    campaign = trigger(sqlite, "a", 10)
    send(sqlite, logs, campaign, 0)
    send(sqlite, logs, campaign, 1, should_stop=after(2))

    def column():
        return [line.split("│")[-2].strip() for line in app("report", "a").out.splitlines() if "│" in line]

    assert column() == ["so far", "so far", "so far"]
    log_path(logs, "a", 0).write_bytes(b"")
    assert column() == ["no", "so far", "no"]


def test_a_campaign_nobody_triggered_is_unknown(sqlite, logs):
    with refused(UnknownCampaign, match="no campaign is named a"):
        check(sqlite, logs)


def swap(lines: Lines) -> None:
    lines[3], lines[4] = lines[4], lines[3]


def alter(lines: Lines) -> None:
    lines[4] = lines[4].replace(b"138", b"139")


def drop_the_end(lines: Lines) -> None:
    lines[-1] = lines[-1].rstrip(b"\n")


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda lines: lines.pop(4), ["1 customer has no message, id 5", ALL_ON_RECORD.format(19)]),
        (lambda lines: lines.pop(0), ["1 customer has no message, id 1", ALL_ON_RECORD.format(19)]),
        (lambda lines: lines.pop(), ["1 customer has no message, id 20", ALL_ON_RECORD.format(19)]),
        (lambda lines: lines.insert(5, lines[4]), ["1 line belongs to nobody or stands twice, lines 5, 6"]),
        (lambda lines: lines.insert(7, lines[4]), ["1 line belongs to nobody or stands twice, line 8"]),
        (lambda lines: lines.append(lines[-1]), ["1 line belongs to nobody or stands twice, line 21"]),
        (
            alter,
            [
                "1 customer has no message, id 5",
                "1 line belongs to nobody or stands twice, line 5",
                ALL_ON_RECORD.format(19),
            ],
        ),
        (swap, ["the lines are not in the order of ids"]),
        (
            drop_the_end,
            [
                "1 customer has no message, id 20",
                "1 line belongs to nobody or stands twice, line 20",
                ALL_ON_RECORD.format(19),
            ],
        ),
        (lambda lines: lines.append(b"\n"), ["1 line belongs to nobody or stands twice, line 21"]),
        (lambda lines: lines.append(b"x"), ["1 line belongs to nobody or stands twice, line 21"]),
        (
            lambda lines: lines.clear(),
            ["20 customers have no message, ids 1, 2, 3, 4, 5 and 15 more", ALL_ON_RECORD.format(0)],
        ),
    ],
    ids=[
        "a line deleted",
        "the first line deleted",
        "the last line deleted",
        "a line duplicated",
        "a line duplicated pages later",
        "the last line duplicated",
        "a line altered",
        "two lines swapped",
        "the last line's end missing",
        "an empty line added",
        "the beginning of a line added",
        "everything deleted",
    ],
)
def test_a_log_that_was_tampered_with_differs_and_the_report_says_where(sqlite, logs, tamper, expected):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 100)
    path = log_path(logs, "a", 0)
    lines = path.read_bytes().splitlines(keepends=True)
    tamper(lines)
    path.write_bytes(b"".join(lines))

    found = differences(sqlite, logs)

    assert [each for each in found if not each.startswith("the log has ")] == expected


def test_a_campaign_of_one_customer_is_spoken_of_in_the_singular(sqlite, logs):
    move_in(sqlite, [person(1)])
    run(sqlite, logs, "a", 100)
    path = log_path(logs, "a", 0)
    path.write_bytes(b"x")

    *rest, on_record = differences(sqlite, logs)

    assert on_record == "1 message is on record, 0 right in the log"
    assert rest[0].startswith("the log has 1 byte, ")
    assert rest[1:] == ["1 customer has no message, id 1", "1 line belongs to nobody or stands twice, line 1"]


def test_a_log_that_is_gone_is_missing(sqlite, logs):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 100)
    path = log_path(logs, "a", 0)
    path.unlink()

    assert differences(sqlite, logs) == [f"{path} is missing", ALL_ON_RECORD.format(0)]


def test_a_log_that_cannot_be_read_differs(sqlite, logs):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 100)
    path = log_path(logs, "a", 0)
    path.unlink()
    path.mkdir()

    # Some file systems have folders that are shorter than the log was; that is said, too.
    assert differences(sqlite, logs)[-2:] == [f"{path} cannot be read: Is a directory", ALL_ON_RECORD.format(0)]


def test_logs_whose_folder_is_none_differ_task_by_task(sqlite, logs):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 10)
    logs.rename(logs.with_name("elsewhere"))
    logs.touch()

    found = [words(each.differences[0]) for each in check(sqlite, logs).tasks]

    assert found == [f"{log_path(logs, 'a', task)} cannot be read: Not a directory" for task in range(2)]


def test_only_the_task_that_differs_is_named(sqlite, logs):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 8)
    path = log_path(logs, "a", 1)
    path.write_bytes(path.read_bytes() + greeting(ROWS[0]).encode())

    whole = check(sqlite, logs)

    assert not whole.agrees
    assert [bool(each.differences) for each in whole.tasks] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DELETE FROM customers WHERE id = 5", "1 line belongs to nobody or stands twice, line 5"),
        (
            "UPDATE customers SET name = '李四' WHERE id = 5",
            "1 customer has a message that reads otherwise than it would now, id 5",
        ),
    ],
)
def test_a_table_that_changed_since_differs(database, logs, change, expected):
    move_in(database, ROWS)
    run(database, logs, "a", 100)
    with database.begin() as connection:
        connection.execute(sa.text(change))

    assert expected in differences(database, logs)


def test_customers_who_came_after_the_trigger_are_not_in_it(database, logs):
    move_in(database, ROWS)
    run(database, logs, "a", 100)
    move_in(database, [*ROWS, person(21)])

    assert check(database, logs).agrees


def test_the_report_comes_task_by_task_with_the_whole_at_its_end(sqlite, logs):
    move_in(sqlite, ROWS)
    run(sqlite, logs, "a", 8)

    steps = list(report(sqlite, logs, "a"))

    assert steps[-1].tasks == steps[:-1]
    assert len(steps) == 4


def test_one_of_two_customers_with_the_same_message_may_not_be_forgotten(sqlite, logs):
    move_in(sqlite, [(1, "张伟", 1, "13800000000"), (2, "张伟", 1, "13800000000")])
    run(sqlite, logs, "a", 100)
    path = log_path(logs, "a", 0)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    assert "1 customer has no message, id 2" in differences(sqlite, logs)


def test_who_was_changed_since_has_a_message_that_reads_otherwise_and_is_not_missing(database, logs):
    move_in(database, ROWS)
    run(database, logs, "a", 100)

    with writing(database) as connection:
        connection.execute(sa.update(customers).where(customers.c.id == 5).values(name="改名", gender=0))

    assert differences(database, logs) == ["1 customer has a message that reads otherwise than it would now, id 5"]
    assert check(database, logs).tasks[0].tally.sent == 20


def test_who_came_after_the_turn_had_passed_is_late_and_no_difference(database, logs):
    move_in(database, [row for row in ROWS if row[0] not in {5, 12, 13, 14}])
    run(database, logs, "a", 3)
    late = [row for row in ROWS if row[0] in {5, 13}]

    with writing(database) as connection:  # as a transaction that got its ids before the trigger
        for number, name, gender, mobile in late:
            connection.execute(sa.insert(customers).values(id=number, name=name, gender=gender, mobile=mobile))
    whole = check(database, logs)

    assert whole.agrees
    assert {each.task: each.late for each in whole.tasks if each.late} == {1: [5], 4: [13]}
    assert (whole.late, whole.late_elsewhere) == (2, 0)


def test_who_came_where_nobody_lived_is_late_too(sqlite, logs):
    move_in(sqlite, [person(1), person(40)])
    run(sqlite, logs, "a", 10)

    move_in(sqlite, [person(1), person(15), person(25), person(40), person(41)])
    whole = check(sqlite, logs)

    assert whole.agrees
    assert (whole.late, whole.late_elsewhere) == (2, 2)


def test_where_a_line_is_gone_nobody_is_called_late(sqlite, logs):
    move_in(sqlite, [row for row in ROWS if row[0] != 5])
    run(sqlite, logs, "a", 100)
    lines = log_path(logs, "a", 0).read_bytes().splitlines(keepends=True)
    log_path(logs, "a", 0).write_bytes(b"".join(lines[1:]))

    move_in(sqlite, ROWS)

    assert "2 customers have no message, ids 1, 5" in differences(sqlite, logs)
    assert check(sqlite, logs).late == 0
