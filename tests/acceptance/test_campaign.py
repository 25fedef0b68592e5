"""A campaign as the sender and the operator live through it: commands, real processes, and the logs at the end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import ODD_NAMES, crowd, expected_logs, logs_of, move_in, person
from tests.integration.app.serving import IN_SMALL_PAGES, Product
from tests.waiting import until

SIZE = 50
ROWS = [
    *crowd(120),
    *(person(200 + number, name, (0, 1, None)[number % 3]) for number, name in enumerate(ODD_NAMES)),
]
CROWD = crowd(100_000)
NAME = "春节问候_2024"


def test_from_an_empty_database_to_a_report_that_agrees(database_url, tmp_path):
    with Product(database_url, tmp_path, shard_size=SIZE) as product:
        too_early = product.run("serve")
        migrated = product.run(module="migrations")
        move_in(product.database, ROWS)
        product.start()

        sent = product.run("trigger", NAME, "--watch")
        again = product.run("trigger", NAME)
        status = product.run("status", NAME, "--json")
        report = product.run("report", NAME, "--json")
        stopped = product.stop()

    assert (too_early.returncode, too_early.stdout) == (1, "")
    assert too_early.stderr.startswith(("error: the table customers is missing; run:", "error: there is no file"))
    assert "run: python -m migrations" in too_early.stderr
    assert migrated.returncode == 0
    assert (sent.returncode, sent.stderr) == (0, "")
    assert sent.stdout.splitlines()[0] == f"{NAME} has begun, as task 0,1,2,3,4"
    assert sent.stdout.splitlines()[-1] == f"{NAME}: finished, {len(ROWS)} sent, 100.0% done"
    assert (again.returncode, again.stdout) == (0, f"{NAME} already exists and is finished; nothing was started\n")
    assert json.loads(status.stdout)["sent"] == len(ROWS)
    assert report.returncode == 0
    assert json.loads(report.stdout)["agrees"]
    assert json.loads(report.stdout)["total"]["lines"] == len(ROWS)
    assert stopped == 0
    assert logs_of(product.logs, NAME) == expected_logs(ROWS, SIZE)


@pytest.fixture
def halfway(sqlite_url: str, tmp_path: Path) -> Iterator[Product]:
    """A server that was stopped in the middle of a campaign of one shard."""
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, CROWD)
        product.start()
        product.ask(NAME)
        with product.frozen_halfway():
            product.tell_to_stop()
            until(lambda: "server stopping" in product.said(), what="it knows before a page more is recorded")
        product.wait_until_gone()
        assert product.state(NAME) == "running"
        yield product


def test_a_log_that_lost_something_while_the_server_was_away_fails_the_campaign_with_a_sentence(halfway):
    log = halfway.logs / NAME / "task_0.log"
    log.write_bytes(log.read_bytes()[:-10])
    left = log.read_bytes()

    halfway.start()
    state, reason = halfway.wait_until_over(NAME), halfway.reason(NAME)
    watched = halfway.run("trigger", NAME, "--watch")
    report = halfway.run("report", NAME)

    assert state == "failed"
    assert f"{log} has {len(left):,} bytes where {len(left) + 10:,} were written" in reason
    assert watched.returncode == report.returncode == 1
    assert reason in watched.stdout
    assert "not finished" in report.stdout
    assert log.read_bytes() == left


def test_a_log_that_got_longer_while_the_server_was_away_is_cut_back(halfway):
    with (halfway.logs / NAME / "task_0.log").open("ab") as log:
        log.write("尊敬的手机号为138".encode())

    halfway.start()

    assert halfway.wait_until_over(NAME) == "finished"
    assert logs_of(halfway.logs, NAME) == expected_logs(CROWD, 500_000)


def test_a_server_that_is_interrupted_at_the_terminal_ends_in_good_order(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.start()

        product.interrupt()

        assert product.wait_until_gone() == 0
