"""Killed anywhere, in any way: afterwards every customer stands in the logs exactly once."""

from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import IN_SMALL_PAGES, Product
from tests.waiting import until

SIZE = 50_000
CROWD = crowd(2 * SIZE)


@pytest.fixture
def halfway(migrated_url, tmp_path):
    """A campaign under way on two task workers."""
    with Product(migrated_url, tmp_path, task_worker_num=2, shard_size=SIZE) as product:
        product.program = IN_SMALL_PAGES
        move_in(product.database, CROWD)
        product.start()
        assert product.ask("春节").startswith("分发任务给了task0,1执行")
        yield product


def assert_exact(product: Product) -> None:
    assert product.wait_until_over("春节") == "finished"
    assert logs_of(product.logs, "春节") == expected_logs(CROWD, SIZE)
    assert product.sent() == len(CROWD)


def test_a_server_told_to_stop_in_the_middle_continues_by_itself_at_the_next_start(halfway):
    with halfway.frozen_halfway():
        halfway.tell_to_stop()
    code = halfway.wait_until_gone()
    left = halfway.on_record().values()

    halfway.start()

    assert code == 0
    assert all(recorded == size for recorded, size in left)
    assert sum(size for _, size in left) < sum(map(len, expected_logs(CROWD, SIZE).values()))
    assert_exact(halfway)


def test_a_server_killed_in_the_middle_continues_by_itself_at_the_next_start(halfway):
    with halfway.frozen_halfway():
        halfway.kill_everything()
    assert halfway.state("春节") == "running"

    halfway.start()

    assert_exact(halfway)


def test_a_task_worker_killed_in_the_middle_is_made_good_without_a_restart(halfway):
    with halfway.frozen_halfway():
        halfway.child("sms: task worker 0").kill()

    assert_exact(halfway)
    assert "child died, starting another" in halfway.said()


def test_the_event_worker_that_schedules_killed_in_the_middle_is_made_good_without_a_restart(halfway):
    with halfway.frozen_halfway():
        halfway.child("sms: worker 0").kill()

    assert_exact(halfway)
    assert halfway.ask("春节") == "任务春节已存在,状态: finished"


@pytest.mark.mysql
def test_a_database_that_hangs_up_in_the_middle_is_made_good_without_a_restart(mysql_url, tmp_path):
    with with_tables(mysql_url), Product(mysql_url, tmp_path, task_worker_num=2, shard_size=SIZE) as product:
        product.expects_tracebacks = True
        product.program = IN_SMALL_PAGES
        move_in(product.database, CROWD)
        product.start()
        product.ask("春节")
        with product.frozen_halfway() as connection:
            until(lambda: waits_for_us(connection), what="a checkpoint waits")
            hang_up(connection)

        assert_exact(product)
        assert "shard broke down, trying again" in product.said()
        assert product.ask("春节") == "任务春节已存在,状态: finished"


OTHERS = "FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"


def waits_for_us(connection: Connection) -> bool:
    """Whether another connection is in the middle of a statement: one that is lost between two is made anew."""
    query = f"SELECT COUNT(*) {OTHERS} AND command = 'Query' AND info LIKE 'UPDATE shards%'"
    return bool(connection.exec_driver_sql(query.replace("%", "%%")).scalar_one())


def hang_up(connection: Connection) -> None:
    """Make the server close every other connection to this schema."""
    for number in connection.execute(sa.text(f"SELECT id {OTHERS}")).scalars().all():
        with suppress(OperationalError):  # it is gone already
            connection.execute(sa.text(f"KILL {number}"))


def test_a_second_server_on_a_folder_of_logs_says_that_it_cannot_start(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.start()

        second = product.run("serve")

        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            f"error: another server is running on the logs in {product.logs}; stop it, "
            "or set SMS_LOG_DIR to a new folder\n"
        )
