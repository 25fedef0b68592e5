"""`python -m app logs`: the messages of a campaign, each once and whole."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.audit import messages
from app.audit.messages import Messages
from app.gateways.log_file.folder import log_path
from app.sentence import Sentence
from app.store import campaigns, shards
from app.store.database import writing
from tests import starting
from tests.integration.app.beside import beside
from tests.integration.app.campaigns import after, run, send, trigger, with_tables
from tests.integration.app.people import crowd, expected_logs, greeting, move_in, person
from tests.integration.app.serving import IN_SMALL_PAGES, WITHIN_S, Product
from tests.waiting import until
from tests.words import words

NAME = "春节"
CROWD = crowd(25)


@pytest.fixture
def finished(sqlite, logs):
    """A campaign of three tasks that is over."""
    move_in(sqlite, CROWD)
    return run(sqlite, logs, NAME, 10)


@pytest.fixture
def halfway(sqlite, logs, monkeypatch):
    """A campaign of one task, 10 of its 25 messages on record and five more in its log."""
    monkeypatch.setattr("app.sending.journal.PAGE_ROWS", 5)
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, NAME, 100)
    send(sqlite, logs, campaign, should_stop=after(2))
    with log_path(logs, NAME, 0).open("ab") as log:
        log.write("".join(map(greeting, CROWD[10:15])).encode()[:-7])
    return campaign


def text(rows) -> str:
    return "".join(map(greeting, rows))


def test_all_messages_are_printed_task_after_task(app, finished):
    ended = app("logs", NAME)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == text(CROWD)


def test_the_messages_of_one_task_are_printed_alone(app, finished):
    assert app("logs", NAME, "--task", "1").out == text(CROWD[10:20])


def test_mobiles_are_masked_on_request(app, finished):
    out = app("logs", NAME, "--mask").out

    assert out.startswith("尊敬的手机号为138****0001的客户1号_")
    assert out.count("\n") == 25
    assert not any(mobile in out for *_, mobile in CROWD)


def test_mobiles_are_masked_where_the_message_has_another_number_right_beside_them(app, sqlite, logs):
    move_in(sqlite, CROWD)
    run(sqlite, logs, NAME, 10, "编号{id}{mobile}")

    out = app("logs", NAME, "--mask").out

    assert out.startswith("编号1138****0001\n")
    assert not any(mobile in out for *_, mobile in CROWD)


def test_a_customers_name_does_not_steer_the_terminal_and_stays_as_it_is_for_programs(app, sqlite, logs, monkeypatch):
    move_in(sqlite, [person(1, "\x1b[2J\x9b31m\tx")])
    run(sqlite, logs, NAME, 10, "{name}")

    piped = app("logs", NAME).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    on_terminal = app("logs", NAME).out

    assert (piped, on_terminal) == ("\x1b[2J\x9b31m\tx\n", "\ufffd[2J\ufffd31m\ufffdx\n")


def test_what_is_not_on_record_may_be_cut_off_again_and_is_not_printed(app, halfway):
    assert app("logs", NAME).out == text(CROWD[:10])


def test_an_unknown_campaign_is_refused(app, finished):
    app("logs", "nobody").assert_refused("no campaign is named nobody")
    app("logs", "nobody", "--follow").assert_refused("no campaign is named nobody")


def test_an_unknown_task_of_a_campaign_with_one_is_refused_with_that_one(app, sqlite, logs):
    move_in(sqlite, CROWD)
    run(sqlite, logs, "b", 1_000)

    app("logs", "b", "--task", "3").assert_refused("b has no task 3, its only task is 0")


def test_an_unknown_task_is_refused_with_those_there_are(app, finished):
    app("logs", NAME, "--task", "3").assert_refused(f"{NAME} has no task 3, its tasks are 0 to 2")


@pytest.mark.parametrize("options", [[], ["--follow"]])
def test_a_log_that_is_missing_or_shorter_than_the_record_is_said_after_what_it_has(app, logs, finished, options):
    log = log_path(logs, NAME, 0)
    log.write_bytes(log.read_bytes()[:-3])
    shortened = app("logs", NAME, "--task", "0", *options)
    log.unlink()
    missing = app("logs", NAME, *options)

    assert (shortened.code, shortened.out) == (1, text(CROWD[:9]))
    assert shortened.err.startswith("error: ")
    assert "bytes where" in shortened.err
    missing.assert_refused("task_0.log cannot be read: No such file or directory")


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 1000, 1 << 20])
def test_lines_are_whole_however_they_are_cut(sqlite, logs, finished, monkeypatch, chunk_bytes):
    monkeypatch.setattr(messages, "CHUNK_BYTES", chunk_bytes)

    pieces = list(Messages(sqlite, logs, NAME).read())

    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"".join(pieces).decode() == text(CROWD)


def test_following_prints_each_message_once_over_a_cut_back_of_the_log(sqlite, logs, halfway, monkeypatch):
    monkeypatch.setattr(messages, "LOOK_EVERY_S", 0.001)
    pages = Messages(sqlite, logs, NAME).follow(lambda _: None)

    first = next(pages)
    run_to_its_end(sqlite, logs, halfway)

    assert first.decode() == text(CROWD[:10])
    assert b"".join(pages).decode() == text(CROWD[10:])


def run_to_its_end(sqlite, logs, campaign) -> None:
    send(sqlite, logs, campaign)
    with writing(sqlite) as connection:
        shards.finish(connection, campaign.id, 0)
        campaigns.finish_if_complete(connection, campaign.id)


def test_following_says_once_that_a_log_cannot_be_read_and_goes_on_when_it_can(sqlite, logs, halfway, monkeypatch):
    said: list[Sentence] = []
    log = log_path(logs, NAME, 0)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            log.with_suffix(".away").rename(log)
            run_to_its_end(sqlite, logs, halfway)

    log.rename(log.with_suffix(".away"))
    monkeypatch.setattr("time.sleep", sleep)

    printed = b"".join(Messages(sqlite, logs, NAME).follow(said.append))

    assert printed.decode() == text(CROWD)
    assert [*map(words, said)] == [f"{log} cannot be read: No such file or directory; trying again"]
    assert pauses[0] < pauses[1] < pauses[2]


# ── in a process of its own ─────────────────────────────────────────────────────────────────────


MANY = crowd(100_000)


@pytest.fixture
def large(sqlite_url, tmp_path) -> Iterator[Product]:
    """A running server with a campaign under way."""
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, shard_size=50_000) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, MANY)
        product.start()
        product.ask(NAME)
        yield product


def test_who_follows_gets_everything_over_a_death_of_the_server_and_ends_with_the_campaign(large):
    with ExitStack() as following:
        with large.frozen_halfway():
            reader = following.enter_context(beside(large, "logs", NAME, "--follow"))
            until(lambda: reader.out, what="something is printed")
            large.kill_everything()
        large.start()
        code = reader.end()

    assert (code, reader.err) == (0, "")
    expected = expected_logs(MANY, 50_000)
    mine = reader.out.splitlines(keepends=True)
    assert len(mine) == len(set(mine)) == len(MANY)
    assert set(mine) == {line for log in expected.values() for line in log.decode().splitlines(keepends=True)}


def test_following_ends_by_ctrl_c(large):
    with large.frozen_halfway(), beside(large, "logs", NAME, "--follow") as reader:
        until(lambda: reader.out, what="something is printed")
        reader.process.send_signal(signal.SIGINT)
        code = reader.end()

    assert (code, reader.err) == (130, "")


@pytest.mark.parametrize("options", [[], ["--follow"], ["--mask"]])
def test_who_reads_no_further_hears_of_no_error(large, options, tmp_path):
    large.wait_until_over(NAME)
    ours, theirs = os.pipe()
    with open(tmp_path / "said", "wb") as said:
        reader = starting.start(
            ["-m", "app", "logs", NAME, *options], large.environment, stdout=theirs, stderr=said.fileno()
        )
    os.close(theirs)
    begun = os.read(ours, 10)
    os.close(ours)
    reader.wait(WITHIN_S)

    assert begun
    assert (tmp_path / "said").read_bytes() == b""
