"""`python -m app watch` and `trigger --watch` on a real server, in a process and on a terminal of their own."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.integration.app.beside import Command, beside
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import IN_SMALL_PAGES, ROOT, WITHIN_S, Product
from tests.ports import free_port
from tests.waiting import until

MANY = 100_000


@pytest.fixture
def large(sqlite_url, tmp_path) -> Iterator[Product]:
    """A running server with a campaign ahead that takes a while."""
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, shard_size=50_000) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, crowd(MANY))
        product.start()
        yield product


def test_a_watcher_sees_the_end_over_a_restart_of_the_server(large):
    with beside_a_restart(large, "重启") as watcher:
        large.start()
        code = watcher.end()

    assert code == 0, watcher.err
    assert "the server is back" in watcher.err
    assert watcher.out.splitlines()[0] == "重启 is running"
    assert watcher.out.splitlines()[-1] == f"重启: finished, {MANY:,} sent, 100.0% done"


@contextmanager
def beside_a_restart(product: Product, campaign: str) -> Iterator[Command]:
    """A watcher who misses the server that was killed halfway."""
    product.ask(campaign)
    with ExitStack() as stack:
        with product.frozen_halfway():
            watcher = stack.enter_context(beside(product, "watch", campaign))
            until(lambda: "running" in watcher.out, what="the watcher sees it run")
            product.kill_everything()
        until(lambda: "trying again in" in watcher.err, what="the watcher misses the server")
        yield watcher


def test_a_campaign_that_is_there_is_watched_by_its_name(large):
    large.ask("按名字")

    ended = large.run("watch", "按名字")

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == f"按名字: finished, {MANY:,} sent, 100.0% done"


def test_what_is_not_there_is_not_watched_and_not_started(server):
    ended = server.run("watch", "从未有过")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: no campaign is named 从未有过\n"
    assert server.state("从未有过") == ""


def test_the_one_that_may_be_meant_is_named(server):
    server.ask("五月问候")

    ended = server.run("watch", "五月问好")

    assert (ended.returncode, ended.stderr) == (1, "error: no campaign is named 五月问好; did you mean 五月问候?\n")
    assert "没有名为五月问好的任务,是不是五月问候?" in server.ask('{"pause": "五月问好"}')


def test_a_wrong_address_is_an_error_at_once(app):
    app("watch", "a").assert_refused("no answer from 127.0.0.1:", "python -m app serve")


def test_ctrl_c_leaves_the_campaign_running_and_says_so(large):
    large.ask("走开")
    with large.frozen_halfway(), beside(large, "watch", "走开") as watcher:
        until(lambda: "running" in watcher.out, what="the watcher sees it run")
        watcher.process.send_signal(signal.SIGINT)
        code = watcher.end()

    assert code == 130
    assert watcher.err == "stopped watching; the campaign goes on, see: python -m app status 走开\n"
    assert large.wait_until_over("走开") == "finished"


def test_ctrl_c_works_while_the_server_is_away(large):
    with beside_a_restart(large, "都走") as watcher:
        watcher.process.send_signal(signal.SIGINT)
        code = watcher.end()
    large.start()

    assert code == 130
    assert "stopped watching" in watcher.err


def test_on_a_terminal_there_is_a_bar_for_each_task_and_one_in_all(large):
    seen = on_terminal(large, "trigger", "画面", "--watch")

    assert "画面 has begun, as task 0,1" in seen
    for words in ("画面", "task 0", "task 1", "all", "100.0%", f"{MANY:,} sent", "finished", "━"):
        assert words in seen, seen
    assert "Traceback" not in seen


def on_terminal(product: Product, *arguments: str) -> str:
    """What a terminal of 100 columns gets from a command until it ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env={**product.environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := _read(ours):
            seen += piece
        assert process.wait(WITHIN_S) == 0, seen.decode()
    finally:
        process.kill()
        process.wait(WITHIN_S)
        os.close(ours)
    return seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: nobody has the other side any more
        return b""


def test_who_watches_is_told_why_nothing_goes_out(sqlite_url, tmp_path):
    gateways = tmp_path / "gateways.toml"
    gateways.write_text(
        f'[away]\nkind = "smpp"\nhost = "127.0.0.1"\nport = {free_port()}\nsystem_id = "sms"\n'
        'password_env = "PASSWORD"\n'
    )
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, gateways=gateways) as product:
        product.environment["PASSWORD"] = "secret"
        move_in(product.database, crowd(10))
        product.start()

        request = ["trigger", "a", "--gateway", "away", "--template", "{name}{honorific}，您好"]
        with beside(product, *request, "--watch") as watcher:
            until(lambda: "cannot be reached" in watcher.err, what="the watcher is told")
            assert "cannot be reached" in product.run("status", "a").stdout
            product.run("cancel", "a")
            watcher.end()
