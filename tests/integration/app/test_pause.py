"""Pause, resume and cancel on a real server at full speed, with everything that may happen in between."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store.database import open_database
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import IN_SMALL_PAGES, ON_SQLITE, WITHIN_S, Product
from tests.waiting import until

SIZE = 50_000
CROWD = crowd(2 * SIZE)
NAME = "春节"


LEASE_S = 30
"""Longer than it takes to start a server on a busy machine."""


@pytest.fixture
def sending(migrated_url, tmp_path):
    """A campaign under way on two task workers, of which something is sent and more is not."""
    with Product(migrated_url, tmp_path, task_worker_num=2, shard_size=SIZE, lease_s=LEASE_S) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, CROWD)
        product.start()
        product.ask(NAME)
        until(lambda: product.sent() > 0, within_s=WITHIN_S, what="something is sent")
        yield product


def ask(product: Product, **request: object) -> dict:
    return json.loads(product.ask(json.dumps(request)))


def lines_in_logs(product: Product) -> int:
    return sum(log.count(b"\n") for log in logs_of(product.logs, NAME).values())


@contextmanager
def held_up(product: Product) -> Iterator[None]:
    """The task workers stand still, so that the campaign does not end before a command has started; none of them in a
    transaction, which the command would wait for."""
    workers = [product.child(f"sms: task worker {number}") for number in range(2)]

    def stand_still() -> bool:
        for each in workers:
            each.suspend()
        if nobody_writes(product.url):
            return True
        for each in workers:
            each.resume()
        return False

    until(stand_still, within_s=WITHIN_S, what="they stand still between two checkpoints")
    try:
        yield
    finally:
        for each in workers:
            each.resume()


def nobody_writes(url: str) -> bool:
    database = open_database(url)
    try:
        with database.connect().execution_options(writes=True) as connection:
            if connection.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA busy_timeout = 0")
                connection.begin()
            else:
                for table in ("campaigns", "shards"):
                    connection.execute(sa.text(f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} FOR UPDATE NOWAIT) AS t"))
    except DBAPIError:
        return False
    finally:
        database.dispose()
    return True


def test_a_pause_stops_everybody_with_exact_counts_lasts_over_a_restart_and_ends_exactly(sending):
    paused = ask(sending, pause=NAME)
    written = lines_in_logs(sending)

    sending.kill_everything()
    sending.start()
    until(lambda: sending.ask(NAME) == f"任务{NAME}已存在,状态: paused,用resume继续", within_s=WITHIN_S)
    after_restart = sending.sent(), lines_in_logs(sending)
    resumed = ask(sending, resume=NAME)

    assert (paused["ok"], paused["state"], paused["still_sending"]) == (True, "paused", [])
    assert paused["message"] == f"任务{NAME}已暂停,已发送{paused['sent']}"
    assert 0 < paused["sent"] == written < len(CROWD)
    assert after_restart == (written, written)
    assert (resumed["ok"], resumed["state"]) == (True, "running")
    assert sending.wait_until_over(NAME) == "finished"
    assert logs_of(sending.logs, NAME) == expected_logs(CROWD, SIZE)


def test_a_cancelled_campaign_is_so_for_ever_and_its_logs_hold_what_was_counted(sending):
    cancelled = ask(sending, cancel=NAME)
    again, resumed = ask(sending, cancel=NAME), ask(sending, resume=NAME)

    assert cancelled["state"] == "cancelled"
    assert 0 < cancelled["sent"] == lines_in_logs(sending) < len(CROWD)
    assert again["message"] == f"任务{NAME}的状态是cancelled,不能取消"
    assert (resumed["ok"], resumed["error"], resumed["state"]) == (False, "wrong_state", "cancelled")
    assert resumed["message"] == f"任务{NAME}的状态是cancelled,不能继续"


@ON_SQLITE
def test_the_commands_work_through_the_database_whether_the_server_runs_or_not(sending):
    with ThreadPoolExecutor(1) as thread, held_up(sending):
        command = thread.submit(sending.run, "pause", NAME)
        until(lambda: sending.state(NAME) == "paused", within_s=WITHIN_S, what="the command is at work")
    paused = command.result(WITHIN_S)
    with_server = sending.sent(), lines_in_logs(sending)
    sending.stop()

    again = sending.run("pause", NAME)
    resumed = sending.run("resume", NAME)
    sending.start()

    assert (paused.returncode, paused.stderr) == (0, "")
    assert paused.stdout.startswith(f"{NAME} is paused: {with_server[0]:,} sent, ")
    assert with_server[0] == with_server[1]
    assert (again.returncode, again.stderr) == (1, f"error: {NAME} is already paused\n")
    assert resumed.stdout.startswith(f"{NAME} is running: ")
    assert sending.wait_until_over(NAME) == "finished"
    assert logs_of(sending.logs, NAME) == expected_logs(CROWD, SIZE)


def test_a_server_that_was_killed_is_paused_by_the_command_with_exact_counts(sending):
    with sending.frozen_halfway():
        sending.kill_everything()
    ahead = any(size > recorded for recorded, size in sending.on_record().values())

    paused = sending.run("pause", NAME)

    now = sending.on_record().values()
    sending.start()
    assert ahead
    assert (paused.returncode, paused.stderr) == (0, "")
    assert all(size == recorded for recorded, size in now)
    assert sending.sent() == lines_in_logs(sending)


@ON_SQLITE
def test_nobody_is_paused_who_is_not_there(sending):
    answer = ask(sending, pause="没有")

    assert (answer["error"], answer["message"]) == ("unknown_campaign", "没有名为没有的任务")


@ON_SQLITE
def test_who_watches_goes_on_watching_a_paused_campaign(sending):
    with sending.client() as client:
        client.send(json.dumps({"campaign": NAME, "watch": True}))
        states = [json.loads(client.read_line())["state"]]
        ask(sending, pause=NAME)
        while states[-1] != "paused":
            states.append(json.loads(client.read_line())["state"])
        ask(sending, resume=NAME)
        while states[-1] in {"paused", "running"}:
            states.append(json.loads(client.read_line())["state"])

    assert states[-1] == "finished"


@ON_SQLITE
def test_an_orderly_stop_leaves_no_queue_and_a_killed_server_goes_on_with_its_own(sending):
    while_it_runs = sending.has_queue()
    sending.kill_everything()
    when_killed = sending.has_queue()
    began = time.monotonic()
    before = sending.sent()
    sending.start()
    until(lambda: sending.sent() > before, within_s=WITHIN_S, what="something new is sent")
    took_s = time.monotonic() - began
    finished = sending.wait_until_over(NAME)

    sending.stop()

    assert (while_it_runs, when_killed, finished) == (True, True, "finished")
    assert took_s < LEASE_S, "it waited for the lease of the dead"
    assert not sending.has_queue()
    assert logs_of(sending.logs, NAME) == expected_logs(CROWD, SIZE)


@ON_SQLITE
def test_a_stop_while_shards_wait_for_a_task_worker_leaves_no_queue(migrated_url, tmp_path):
    with Product(migrated_url, tmp_path, task_worker_num=1, shard_size=SIZE // 10) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, CROWD)
        product.start()
        product.ask(NAME)
        with product.frozen_some():
            product.tell_to_stop()
        code = product.wait_until_gone()

        assert code == 0
        assert product.state(NAME) == "running"
        assert not product.has_queue()
        product.start()
        assert product.wait_until_over(NAME) == "finished"
        assert logs_of(product.logs, NAME) == expected_logs(CROWD, SIZE // 10)
