"""Who came too late for a campaign gets its message in a second run: each of them once, and nobody else again."""

import random

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.audit import find_late as module
from app.audit import late_search
from app.audit.find_late import Found, find_late
from app.audit.late_search import in_order
from app.audit.report import report
from app.campaigns.census import count_audiences
from app.campaigns.late_run import send_late
from app.campaigns.snapshot import snapshot
from app.dedupe.prepare_campaign import prepare_campaign
from app.domain.campaign import ShardState, State, Verb
from app.domain.orders import Outcome, PrepareOrder
from app.errors import LateUnclear, NotFinished
from app.gateways.log_file.folder import log_path
from app.store import campaigns, shards, suspects, tables
from app.store.database import writing
from app.store.late import Late
from tests.integration.app.campaigns import after, as_stored, change_shard, send, shards_of, trigger
from tests.integration.app.conftest import CROWD
from tests.integration.app.people import Row, expected_logs, greeting, logs_of, move_in, person

SIZE = 10
EVERYBODY = [person(number, f"客户{number}号", (0, 1, None)[number % 3]) for number in range(1, 41)]
LATE = [row for row in EVERYBODY if row[0] in {1, 5, 6, 19, 20, 33}]
ON_TIME = [row for row in EVERYBODY if row not in LATE]

NOBODY = Found(Late([]), [])


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 3)
    monkeypatch.setattr("app.audit.report.PAGE_ROWS", 4)
    monkeypatch.setattr(module, "PAGE_ROWS", 4)
    monkeypatch.setattr(late_search, "PAGE_ROWS", 4)
    monkeypatch.setattr("app.store.late.IDS_IN_A_ROW", 2)


def arrive(database: Engine, rows: list[Row]) -> None:
    """As transactions that got their ids before the trigger, and commit now."""
    with writing(database) as connection:
        for number, name, gender, mobile in rows:
            values = {"id": number, "name": name, "gender": gender, "mobile": mobile}
            connection.execute(sa.insert(tables.customers).values(values))


def change(database: Engine, number: int, **values: object) -> None:
    customers = tables.customers
    with writing(database) as connection:
        connection.execute(sa.update(customers).where(customers.c.id == number).values(**values))


def remove(database: Engine, *numbers: int) -> None:
    with writing(database) as connection:
        connection.execute(sa.delete(tables.customers).where(tables.customers.c.id.in_(numbers)))


def go_on(database: Engine, logs, name: str = "a") -> State:
    """What the scheduler does until the campaign is over."""
    campaign = snapshot(database, name).campaign
    if campaign.is_preparing:
        prepare_campaign(database, logs, PrepareOrder(campaign.id), should_stop=lambda: False)
    count_audiences(database)
    for shard in shards_of(database, campaign):
        if shard.state is not ShardState.FINISHED:
            assert send(database, logs, campaign, shard.number) is Outcome.COMPLETE
            with writing(database) as connection:
                shards.finish(connection, campaign.id, shard.number)
    with writing(database) as connection:
        campaigns.finish_if_complete(connection, campaign.id)
    return as_stored(database, campaign).state


def finished(database: Engine, logs, rows: list[Row], *, allow_duplicates: bool = False, template: str | None = None):
    move_in(database, rows)
    campaign = trigger(database, "a", SIZE, template, allow_duplicates=allow_duplicates)
    assert go_on(database, logs) is State.FINISHED
    return campaign


def look(database: Engine, logs) -> Found:
    return find_late(database, logs, snapshot(database, "a"))


def second_run(database: Engine, logs) -> Found:
    now = snapshot(database, "a")
    found = find_late(database, logs, now)
    if found.late.ids:
        send_late(database, logs, now, found.late)
        assert go_on(database, logs) is State.FINISHED
    return found


def whole_report(database: Engine, logs):
    *_, whole = report(database, logs, "a")
    return whole


def assert_exact(database: Engine, logs) -> None:
    whole = whole_report(database, logs)
    assert [each.differences for each in whole.tasks] == [[]] * len(whole.tasks)
    now = snapshot(database, "a")
    for each in now.shards:
        assert each.tally.met + each.tally.gone == each.tally.audience
        assert each.log_bytes == log_path(logs, "a", each.number).stat().st_size


def lines_of(rows: list[Row]) -> bytes:
    return "".join(map(greeting, rows)).encode()


def test_a_second_run_sends_to_those_who_came_late_and_to_nobody_else(database, logs):
    finished(database, logs, ON_TIME)
    before = logs_of(logs, "a")
    arrive(database, LATE)

    found = second_run(database, logs)

    assert [*found.late.ids] == [row[0] for row in LATE]
    assert (found.late.not_sent, found.doubtful) == (frozenset(), [])
    assert logs_of(logs, "a") == before | {"task_4.log": lines_of(LATE)}
    assert before == expected_logs(ON_TIME, SIZE)
    assert_exact(database, logs)
    assert whole_report(database, logs).late == 0
    tally = snapshot(database, "a").tally
    assert (tally.sent, tally.audience, tally.rejected, tally.gone) == (40, 40, 0, 0)


def test_a_second_run_after_a_second_run_finds_who_came_since(database, logs):
    finished(database, logs, ON_TIME)
    arrive(database, LATE[:2])
    second_run(database, logs)
    arrive(database, LATE[2:])

    found = second_run(database, logs)

    assert [*found.late.ids] == [row[0] for row in LATE[2:]]
    assert look(database, logs) == NOBODY
    assert logs_of(logs, "a")["task_4.log"] + logs_of(logs, "a")["task_5.log"] == lines_of(LATE)
    assert_exact(database, logs)


def test_who_came_where_nobody_lived_is_sent_too(database, logs):
    finished(database, logs, [row for row in EVERYBODY if not 10 < row[0] <= 30])
    arrive(database, [row for row in EVERYBODY if row[0] in {11, 30}] + [person(41)])  # the last one is of no campaign

    found = second_run(database, logs)

    assert [*found.late.ids] == [11, 30]
    assert_exact(database, logs)
    assert (whole_report(database, logs).late, look(database, logs).late.ids) == (0, [])


def test_nobody_came_late_to_most_campaigns(sqlite, logs):
    finished(sqlite, logs, EVERYBODY)

    assert second_run(sqlite, logs) == NOBODY
    assert snapshot(sqlite, "a").campaign.state is State.FINISHED


def test_who_has_the_number_of_somebody_who_was_sent_is_rejected(database, logs):
    finished(database, logs, ON_TIME)
    free = (6, "又一个", 0, "13911111111")
    arrive(database, [(5, "新来的", 1, person(39)[3]), free, (19, "第三个", 0, "13911111111")])

    found = second_run(database, logs)

    assert ([*found.late.ids], sorted(found.late.not_sent)) == ([5, 6, 19], [5, 19])
    assert logs_of(logs, "a")["task_4.log"] == lines_of([free])
    assert logs_of(logs, "a")["task_4.rejects.log"] == b"5 duplicate\n19 duplicate\n"
    assert_exact(database, logs)
    assert look(database, logs).late.ids == []


def test_where_duplicates_are_allowed_everybody_who_came_late_is_sent(database, logs):
    finished(database, logs, ON_TIME, allow_duplicates=True)
    late = [(5, "新来的", 1, person(39)[3]), person(6)]
    arrive(database, late)

    found = second_run(database, logs)

    assert ([*found.late.ids], found.late.not_sent) == ([5, 6], frozenset())
    assert logs_of(logs, "a")["task_4.log"] == lines_of(late)
    assert_exact(database, logs)


def test_who_came_late_and_cannot_be_greeted_is_rejected(database, logs):
    finished(database, logs, ON_TIME)
    arrive(database, [(5, "新来的", 1, "12"), (20, " ", 1, "13911111111")])

    found = second_run(database, logs)

    assert [*found.late.ids] == [5, 20]
    assert logs_of(logs, "a")["task_4.rejects.log"] == b"5 bad_mobile\n20 no_name\n"
    assert_exact(database, logs)
    assert look(database, logs).late.ids == []


def test_who_was_rejected_in_time_is_not_late_once_the_row_is_mended(database, logs):
    finished(database, logs, [*ON_TIME, (5, "坏的", 1, "12")])
    change(database, 5, mobile="13911111111")

    assert look(database, logs) == NOBODY


def test_who_is_a_duplicate_is_not_late(database, logs):
    finished(database, logs, [*ON_TIME, (20, "同号", 1, person(2)[3])])
    arrive(database, [person(5)])

    assert [*look(database, logs).late.ids] == [5]


def test_who_has_got_another_number_since_is_never_sent_again(database, logs):
    finished(database, logs, ON_TIME)
    change(database, 8, mobile="13911111111")
    arrive(database, LATE)

    found = second_run(database, logs)

    assert found.doubtful == [8]  # beside it stands a line that is nobody's now
    assert [*found.late.ids] == [1, 5, 6, 19, 20, 33]
    assert b"13911111111" not in b"".join(logs_of(logs, "a").values())


def test_who_came_late_beside_one_who_is_gone_is_in_doubt_and_left_alone(database, logs):
    finished(database, logs, ON_TIME)
    remove(database, 4)
    arrive(database, LATE)

    found = second_run(database, logs)

    assert found.doubtful == [5, 6]
    assert [*found.late.ids] == [1, 19, 20, 33]


def test_a_new_name_puts_nobody_in_doubt_but_its_neighbours(database, logs):
    finished(database, logs, ON_TIME)
    change(database, 4, name="改名")
    change(database, 9, name="也改名")
    arrive(database, LATE)

    found = second_run(database, logs)

    assert ([*found.late.ids], found.doubtful) == ([1, 19, 20, 33], [5, 6])


def test_a_number_that_moved_to_somebody_who_came_late_is_not_sent_to_again(database, logs):
    finished(database, logs, ON_TIME)
    change(database, 38, mobile="13911111111")
    arrive(database, [(5, person(38)[1], 1, person(38)[3])])

    found = second_run(database, logs)

    assert (set(found.late.ids) - found.late.not_sent, found.doubtful) == (set(), [38])
    sent = b"".join(logs_of(logs, "a").values())
    assert sent.count(person(38)[3].encode()) == 1
    assert b"13911111111" not in sent


@pytest.mark.parametrize("pages", [0, 1])
def test_a_second_run_that_is_killed_anywhere_goes_on_where_its_record_is(database, logs, monkeypatch, pages):
    finished(database, logs, ON_TIME)
    arrive(database, LATE)
    now = snapshot(database, "a")
    number = send_late(database, logs, now, find_late(database, logs, now).late)
    assert send(database, logs, now.campaign, number, should_stop=after(pages)) is Outcome.STOPPED
    with monkeypatch.context() as context:  # dies between the log and the record
        context.setattr(shards, "checkpoint", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            send(database, logs, now.campaign, number)

    assert go_on(database, logs) is State.FINISHED
    assert logs_of(logs, "a")["task_4.log"] == lines_of(LATE)
    assert_exact(database, logs)


def test_of_two_who_do_it_at_once_one_does(database, logs):
    finished(database, logs, ON_TIME)
    arrive(database, LATE)
    now = snapshot(database, "a")
    found = find_late(database, logs, now)
    send_late(database, logs, now, found.late)

    with pytest.raises(NotFinished):
        send_late(database, logs, now, found.late)
    go_on(database, logs)
    with pytest.raises(NotFinished):  # the first run is over already, and everybody is sent
        send_late(database, logs, now, found.late)

    assert logs_of(logs, "a")["task_4.log"] == lines_of(LATE)
    assert len(snapshot(database, "a").shards) == 5
    assert snapshot(database, "a").campaign.state is State.FINISHED


def test_a_log_of_a_second_run_that_was_damaged_is_repaired_with_its_own_people_alone(database, logs):
    finished(database, logs, ON_TIME)
    arrive(database, LATE)
    second_run(database, logs)
    campaign = snapshot(database, "a").campaign
    path = log_path(logs, "a", 4)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with writing(database) as connection:
        connection.execute(sa.update(tables.campaigns).values(state=State.FAILED, finished_at=None))
        campaigns.change(connection, campaign.id, Verb.RESUME)
        owner = shards.get(connection, campaign.id, 4).owner
        suspects.suspect_all(connection, campaign.id, owner, None)

    assert go_on(database, logs) is State.FINISHED

    assert logs_of(logs, "a") == expected_logs(ON_TIME, SIZE) | {"task_4.log": lines_of(LATE)}
    assert_exact(database, logs)


def test_who_came_late_and_is_gone_at_their_turn_is_counted_so(database, logs):
    finished(database, logs, ON_TIME)
    arrive(database, LATE)
    now = snapshot(database, "a")
    send_late(database, logs, now, find_late(database, logs, now).late)
    remove(database, 5, 33)

    go_on(database, logs)

    assert snapshot(database, "a").shards[-1].tally.gone == 2
    assert_exact(database, logs)


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.CANCELLED, State.FAILED])
def test_only_a_finished_campaign_has_a_second_run(sqlite, logs, state):
    finished(sqlite, logs, ON_TIME)
    with writing(sqlite) as connection:
        connection.execute(sa.update(tables.campaigns).values(state=state))

    with pytest.raises(NotFinished, match=f"not_finished campaign=a state={state}"):
        look(sqlite, logs)


def test_logs_that_do_not_tell_are_not_guessed_at(sqlite, logs):
    campaign = finished(sqlite, logs, ON_TIME)
    arrive(sqlite, LATE)
    path = log_path(logs, "a", 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(LateUnclear, match=r"late_unclear\.size path=.*task_2\.log"):
        look(sqlite, logs)
    path.unlink()
    with pytest.raises(LateUnclear, match="size=0"):
        look(sqlite, logs)
    path.write_bytes(whole)
    change_shard(sqlite, campaign, owner="elsewhere")
    with pytest.raises(LateUnclear, match=r"late_unclear\.elsewhere tasks=0, 1, 2, 3 .* hosts=elsewhere"):
        look(sqlite, logs)


def test_a_campaign_that_goes_to_a_network_has_no_log_that_tells(sqlite, logs):
    finished(sqlite, logs, ON_TIME)
    with writing(sqlite) as connection:
        connection.execute(sa.update(tables.campaigns).values(gateway="smsc"))

    with pytest.raises(LateUnclear, match=r"late_unclear\.network gateway=smsc"):
        look(sqlite, logs)


def test_messages_without_a_mobile_do_not_tell_whom_they_went_to(sqlite, logs):
    finished(sqlite, logs, ON_TIME, template="{name}{honorific}，您好")
    arrive(sqlite, LATE)

    with pytest.raises(LateUnclear, match=r"late_unclear\.no_mobile"):
        look(sqlite, logs)


def test_the_time_between_the_runs_does_not_count_as_work(sqlite, logs):
    finished(sqlite, logs, ON_TIME)
    with writing(sqlite) as connection:
        connection.execute(sa.text("UPDATE campaigns SET created_at = datetime(created_at, '-2 hours')"))
        connection.execute(sa.text("UPDATE campaigns SET finished_at = datetime(created_at, '+10 seconds')"))
    arrive(sqlite, LATE)

    second_run(sqlite, logs)

    assert 10 <= snapshot(sqlite, "a").campaign.ran_s < 60


MANY = [(number, number) for number in range(100)]


@pytest.mark.parametrize(
    ("landmarks", "kept"),
    [
        ([], []),
        (MANY, MANY),
        ([*MANY[:20], (20, 99), *MANY[21:99]], [*MANY[:20], *MANY[21:99]]),
        ([*MANY[:20], (20, 23), *MANY[21:23], *MANY[24:]], [*MANY[:20], *MANY[25:]]),
        ([(1, 3), (2, 3)], []),
    ],
    ids=["none", "in order", "far away", "near", "one line of two"],
)
def test_landmarks_in_the_wrong_place_are_none_nor_those_that_may_be(landmarks, kept):
    assert in_order(landmarks) == kept


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def test_the_command_says_who_came_late_asks_and_sends(app, sqlite, logs):
    finished(sqlite, logs, ON_TIME)
    arrive(sqlite, LATE)

    unasked = app("resume", "a", "--late")
    done = app("resume", "a", "--late", "--yes")

    assert (unasked.code, unasked.out) == (1, "6 customers came late, ids 1, 5, 6, 19, 20 and 1 more\n")
    assert "pass --yes" in unasked.err
    assert (done.code, done.out.splitlines()[-1]) == (0, "a is running: task 4 is theirs")
    assert go_on(sqlite, logs) is State.FINISHED
    assert app("report", "a").code == 0
    again = app("resume", "a", "--late")
    assert (again.code, again.out) == (0, "nobody came late\n")


def test_the_command_names_whom_it_leaves_out(app, sqlite, logs):
    finished(sqlite, logs, ON_TIME)
    remove(sqlite, 4)
    arrive(sqlite, LATE)
    change(sqlite, 33, mobile=person(2)[3])

    said = app("resume", "a", "--late", "--yes").out

    assert "4 customers came late, ids 1, 19, 20, 33" in said
    assert "1 number has a message already and gets no other" in said
    assert "2 customers are left out, ids 5, 6: " in said


def test_the_command_takes_one_way_to_go_on_at_a_time(app):
    assert app("resume", "a", "--late", "--abandon", "x").code == 2


def test_a_server_sees_to_a_second_run_by_itself(running):
    row = CROWD[6]
    remove(running.database, row[0])
    running.ask("春节")
    running.wait_until_over("春节")
    arrive(running.database, [row])

    asked = running.run("resume", "春节", "--late", "--yes")

    assert asked.stdout.splitlines() == ["1 customer came late, id 7", "春节 is running: task 4 is theirs"]
    assert running.wait_until_over("春节") == "finished"
    assert logs_of(running.logs, "春节")["task_4.log"] == lines_of([row])
    assert running.run("report", "春节").returncode == 0


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changed_meanwhile_nobody_gets_a_second_message_and_no_number_either(sqlite, logs, seed):
    chance = random.Random(seed)
    rows = [person(number, chance.choice(["张伟", "李娜", "王芳"])) for number in range(1, 101)]
    late = [row for row in rows[:-1] if chance.random() < 0.15]
    in_time = [row for row in rows if row not in late]
    finished(sqlite, logs, in_time)
    arrive(sqlite, late)
    moved: list[int] = []
    for row in in_time:
        match chance.randrange(20):
            case 0:
                remove(sqlite, row[0])
            case 1:
                change(sqlite, row[0], mobile=f"139{row[0]:08}")
            case 2:
                change(sqlite, row[0], name="改名")
            case 3 if not moved:  # somebody who came late has got his number
                change(sqlite, row[0], mobile=f"139{row[0]:08}")
                moved.append(chance.choice(late)[0])
                change(sqlite, moved[-1], mobile=row[3])

    found = second_run(sqlite, logs)

    lines = b"".join(text for name, text in logs_of(logs, "a").items() if "rejects" not in name).splitlines()
    numbers = {line[len("尊敬的手机号为".encode()) :][:11].decode() for line in lines}
    assert len(numbers) == len(lines)
    assert {*found.late.ids} - found.late.not_sent <= {row[0] for row in late}
    assert {row[0] for row in late if row[3] not in numbers} <= {*found.late.ids, *found.doubtful, *moved}


@pytest.mark.parametrize("to", [5, 12])
def test_whose_number_and_name_a_neighbour_who_came_late_has_now_is_in_doubt(sqlite, logs, to):
    """A row that was made anew beside itself; the log then reads as if its first one had never been sent."""
    rows = [person(number, f"客户{number}号") for number in range(1, 21) if number != to]
    finished(sqlite, logs, rows)
    whose = to + 1 if to == 5 else to - 1
    change(sqlite, whose, mobile="13911111111")
    arrive(sqlite, [(to, f"客户{whose}号", 1, person(whose)[3])])

    found = second_run(sqlite, logs)

    assert (found.late.ids, found.doubtful) == ([], [whose])
