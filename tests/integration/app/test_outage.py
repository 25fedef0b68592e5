"""A real server whose database, disk or logs fail for a while, in one way at a time."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import psutil
import pytest
import sqlalchemy as sa

from app.store.patience import SERVER_SILENT_S
from tests.conftest import MYSQL
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import IN_SMALL_PAGES, ON_SQLITE, WITHIN_S, Product
from tests.proxy import Proxy, proxied
from tests.waiting import until

SIZE = 50_000
CROWD = crowd(2 * SIZE)
NAME = "春节"


@pytest.fixture(params=[MYSQL, "mariadb"])
def server_url(request):
    """A database with tables on a real server."""
    url = request.getfixturevalue(f"{request.param}_url")
    with with_tables(url):
        yield url


def under_way(product: Product) -> None:
    """Of the campaign something is sent, and more is not."""
    product.program = IN_SMALL_PAGES
    move_in(product.database, CROWD)
    product.start()
    product.ask(NAME)
    until(lambda: product.sent() > 0, within_s=WITHIN_S, what="something is sent")


@contextmanager
def under_way_through_proxy(server_url: str, directory: Path) -> Iterator[tuple[Product, Proxy]]:
    """A campaign is under way, and its server reaches the database through a proxy that can cut the way."""
    with (
        proxied(server_url) as (url, proxy),
        Product(server_url, directory, task_worker_num=2, shard_size=SIZE) as product,
    ):
        product.environment["DATABASE_URL"] = url
        under_way(product)
        yield product, proxy


def wait_until_noticed(product: Product, within_s: float) -> None:
    """Both who send and who count have noticed that the database is away."""
    said = "shard broke down, trying again", "database cannot be read, trying again"
    until(lambda: all(each in product.said() for each in said), within_s=within_s, what="both are noticed")


def mend_after_refusal(product: Product, proxy: Proxy) -> int:
    """See that a pause is refused while the database is away and changes nothing; how much was sent by then."""
    answer = json.loads(product.ask(json.dumps({"pause": NAME})))
    state, sent = product.state(NAME), product.sent()
    proxy.mend()
    assert (answer["ok"], state) == (False, "running")
    return sent


def assert_exact(product: Product) -> None:
    assert product.wait_until_over(NAME) == "finished"
    assert logs_of(product.logs, NAME) == expected_logs(CROWD, SIZE)
    assert product.sent() == len(CROWD)


# ── the database ────────────────────────────────────────────────────────────────────────────────


def test_a_database_that_is_gone_for_a_while_is_waited_for_and_the_campaign_goes_on(server_url, tmp_path):
    with under_way_through_proxy(server_url, tmp_path) as (product, proxy):
        proxy.cut()
        wait_until_noticed(product, WITHIN_S)
        until(lambda: proxy.refused > 2, within_s=WITHIN_S, what="they have tried to come back")
        sent = mend_after_refusal(product, proxy)

        assert "request refused, the database is away" in product.said()
        until(lambda: product.sent() > sent, within_s=10.0, what="it goes on soon")
        assert_exact(product)


@pytest.mark.alone(reason="it is to go on within five seconds")
def test_a_database_that_vanishes_without_a_word_is_worked_with_again_within_five_seconds(server_url, tmp_path):
    with under_way_through_proxy(server_url, tmp_path) as (product, proxy):
        proxy.swallow()
        wait_until_noticed(product, 15.0)
        until(lambda: proxy.swallowed > 5, within_s=WITHIN_S, what="they have tried to come back")
        sent = mend_after_refusal(product, proxy)

        until(lambda: product.sent() > sent, within_s=5.0, what="it goes on soon")
        assert_exact(product)


@pytest.mark.alone(reason="it is to go on within five seconds")
def test_a_way_that_is_free_again_before_anybody_noticed_is_used_again_within_five_seconds(server_url, tmp_path):
    with under_way_through_proxy(server_url, tmp_path) as (product, proxy):
        proxy.swallow()
        sent = product.sent()
        proxy.mend()

        until(lambda: product.sent() > sent, within_s=6.0, what="it goes on soon")
        assert_exact(product)


def test_a_primary_that_is_read_only_for_a_while_is_waited_for(own_mariadb, tmp_path):
    with (
        own_mariadb.schema() as url,
        with_tables(url),
        Product(url, tmp_path, task_worker_num=2, shard_size=SIZE) as product,
    ):
        under_way(product)

        own_mariadb.execute("SET GLOBAL read_only = 1")
        try:
            until(lambda: "1290" in product.said(), within_s=WITHIN_S, what="it is noticed")
            until(lambda: "shard broke down" in product.said(), within_s=WITHIN_S, what="patience ended")
            state = product.state(NAME)
        finally:
            own_mariadb.execute("SET GLOBAL read_only = 0")

        assert state == "running"
        assert_exact(product)


def test_a_server_that_hangs_up_on_who_is_silent_is_no_trouble(own_mariadb, tmp_path):
    own_mariadb.execute("SET GLOBAL wait_timeout = 1")
    with own_mariadb.schema() as url, with_tables(url), Product(url, tmp_path, shard_size=SIZE) as product:
        move_in(product.database, CROWD[:10])
        product.start()
        first = product.ask("a")
        product.wait_until_over("a")
        idle = len(connections_of(product))
        until(lambda: len(connections_of(product)) < idle, within_s=WITHIN_S, what="it hung up")

        answers = [product.ask(name) for name in ("b", "c", "d")]

        assert [first, *answers] == ["分发任务给了task0执行,您将收到短信提醒"] * 4
        assert [product.wait_until_over(name) for name in ("b", "c", "d")] == ["finished"] * 3


def connections_of(product: Product) -> list[int]:
    """Of the server, by the database's own count."""
    count = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    with product.database.connect() as connection:
        return list(connection.execute(sa.text(count)).scalars())


def test_event_workers_keep_their_connections_over_a_silence(server_url, tmp_path):
    # Signs of life come three times as often as a lease lasts, each second, as the word that keeps a connection.
    with Product(server_url, tmp_path, lease_s=3) as product:
        product.start()
        for _ in range(20):  # both event workers are asked
            product.ask(json.dumps({"watch": "nobody"}))
        before, since = connections_of(product), clock_of(product)

        until(
            lambda: clock_of(product) > since + 2 * SERVER_SILENT_S,
            within_s=WITHIN_S,
            what="nobody asked for some time",
        )

        assert len(before) > 1
        assert set(connections_of(product)) >= set(before)


def clock_of(product: Product) -> float:
    """The database's, in seconds."""
    with product.database.connect() as connection:
        return float(connection.exec_driver_sql("SELECT UNIX_TIMESTAMP(NOW(3))").scalar_one())


def test_no_connection_to_the_database_belongs_to_two_processes(mysql_url, tmp_path):
    port = sa.make_url(mysql_url).port
    with with_tables(mysql_url), Product(mysql_url, tmp_path, shard_size=SIZE // 4) as product:
        under_way(product)
        product.wait_until_over(NAME)

        assert product.server
        manager = psutil.Process(product.server.pid)
        sockets = {
            each.pid: {link.laddr for link in each.net_connections("tcp") if link.raddr and link.raddr.port == port}
            for each in [manager, *manager.children()]
        }

        every = [address for addresses in sockets.values() for address in addresses]
        assert sockets[manager.pid] == set()
        assert sum(map(bool, sockets.values())) >= 5  # the scheduler and the task workers
        assert len(every) == len(set(every))


# ── the logs ────────────────────────────────────────────────────────────────────────────────────


@ON_SQLITE
def test_a_log_that_somebody_removes_stops_the_campaign_with_a_sentence_and_resume_completes_it(migrated_url, tmp_path):
    with Product(migrated_url, tmp_path, task_worker_num=2, shard_size=SIZE) as product:
        under_way(product)
        log = product.logs / NAME / "task_0.log"
        until(log.exists, within_s=WITHIN_S, what="task 0 has begun")
        with product.frozen_some():
            log.unlink()
        state, reason = product.wait_until_over(NAME), product.reason(NAME)

        resumed = product.run("resume", NAME, "--yes")

        assert state == "failed"
        assert reason.startswith(f"{log} was ")
        assert reason.endswith(f"; to have it compared and completed, run: python -m app resume {NAME}")
        assert resumed.returncode == 0
        assert_exact(product)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with less room than the logs need."""
    folder = tmp_path / "disk"
    folder.mkdir()
    needed = sum(map(len, expected_logs(CROWD, SIZE).values()))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={needed // 2},mode=0700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if os.geteuid() or mounted.returncode:
        pytest.skip("nobody may mount here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_waited_for_and_costs_no_message(small_disk, migrated_url, tmp_path):
    with Product(migrated_url, tmp_path, task_worker_num=2, shard_size=SIZE, log_dir=small_disk) as product:
        under_way(product)
        until(lambda: "No space left on device" in product.said(), within_s=WITHIN_S, what="the disk is full")
        state = product.state(NAME)

        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)

        assert state == "running"
        assert_exact(product)


# ── many at once ────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_triggers_at_once_over_ten_connections_are_one_campaign(migrated_url, tmp_path):
    people = crowd(40)
    with Product(migrated_url, tmp_path, shard_size=10) as product:
        move_in(product.database, people)
        product.start()
        start = Barrier(10, timeout=WITHIN_S)

        def trigger(_: int) -> list[str]:
            with product.client() as client:
                start.wait()
                for _ in range(10):
                    client.send(NAME)
                return [client.read_line() for _ in range(10)]

        with ThreadPoolExecutor(10) as threads:
            answers = [each for some in threads.map(trigger, range(10)) for each in some]

        assert len(answers) == 100
        assert sum(each == "分发任务给了task0,1,2,3执行,您将收到短信提醒" for each in answers) == 1
        assert sum(each.startswith(f"任务{NAME}已存在,状态: ") for each in answers) == 99
        assert product.count_campaigns() == 1
        assert product.wait_until_over(NAME) == "finished"
        assert logs_of(product.logs, NAME) == expected_logs(people, 10)
