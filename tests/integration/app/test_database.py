"""How the database is opened."""

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from app.store.database import _warned, fetch_packed, open_database, writing
from app.store.patience import Patience
from app.store.tables import customers
from tests.conftest import MYSQL
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.proxy import proxied


def test_an_error_of_the_database_tells_nothing_of_the_customers(database):
    with pytest.raises(DBAPIError) as error, writing(database) as connection:
        connection.execute(sa.insert(customers).values(name="张伟", mobile="13800000000", id="x" * 10))

    assert "13800000000" not in str(error.value)
    assert "张伟" not in str(error.value)


def test_what_was_written_is_gone_when_something_is_raised(database):
    with pytest.raises(LookupError), writing(database) as connection:
        connection.execute(sa.insert(customers).values(name="张伟", mobile="13800000000"))
        raise LookupError

    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one() == 0


def test_a_new_sqlite_file_can_be_opened_by_several_at_once(tmp_path: Path) -> None:
    together = Barrier(4)

    def opened(url: str) -> str:
        database = open_database(url)
        together.wait(30)
        with database.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        database.dispose()
        return str(mode)

    with ThreadPoolExecutor(4) as threads:
        for number in range(50):
            modes = list(threads.map(opened, [f"sqlite:///{tmp_path}/{number}.db"] * 4, timeout=30))
            assert modes == ["wal"] * 4


def test_connections_of_one_process_share_a_tls_context_unless_the_url_names_a_certificate(mysql) -> None:
    database = open_database(mysql.url.set(drivername="mysql+pymysql").render_as_string(hide_password=False))
    with database.connect() as one, database.connect() as other:
        assert one.connection.driver_connection.ctx is other.connection.driver_connection.ctx
    database.dispose()


def test_a_list_that_the_server_cut_is_known_by_its_warning_also_where_the_driver_counts_none(mysql) -> None:
    move_in(mysql, crowd(100))
    with mysql.connect() as connection:
        connection.exec_driver_sql("SET SESSION group_concat_max_len = 20")
        for highest, is_cut in ((3, False), (100, True)):
            statement = f"SELECT GROUP_CONCAT(id) FROM customers WHERE id <= {highest}"
            assert (fetch_packed(connection, statement) is None) is is_cut
            connection.exec_driver_sql(statement).cursor.fetchall()
            assert _warned(connection, object()) is is_cut
        connection.invalidate()


def test_a_new_sqlite_file_and_those_beside_it_are_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with with_tables(f"sqlite:///{tmp_path / 'sms.db'}") as database, database.connect():
            files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert files == dict.fromkeys(["sms.db", "sms.db-shm", "sms.db-wal"], 0o600)


def test_what_sqlite_committed_is_on_the_disk(sqlite) -> None:
    with sqlite.connect() as connection:
        full = 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == full


def test_opening_a_database_makes_nothing_before_somebody_works_with_it(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'new' / 'sms.db'}").dispose()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [MYSQL, "mariadb"])
def test_a_statement_that_takes_longer_than_expected_gets_through_in_the_end(kind, request):
    database = open_database(request.getfixturevalue(f"{kind}_url"), patience=Patience(1, 60))
    lost = []

    def run(statement: str) -> object:
        while True:
            try:
                with database.connect() as connection:
                    return connection.exec_driver_sql(statement).scalar_one()
            except OperationalError as error:
                lost.append(error.orig.args[0])
                assert len(lost) < 8

    slept = run("SELECT SLEEP(4.5)")  # far from the limits on both sides: 4 and 8 s
    before = len(lost)
    again = run("SELECT SLEEP(4.5)")
    database.dispose()

    assert slept == again == 0
    assert set(lost) == {2013}
    assert len(lost) == before  # it is remembered


def test_a_host_that_is_gone_is_noticed_by_a_connection_that_waits_for_long(mysql):
    with mysql.connect() as connection:
        way = connection.connection.driver_connection._sock
        is_asked = way.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        options = [way.getsockopt(socket.IPPROTO_TCP, each) for each in (socket.TCP_KEEPIDLE, socket.TCP_KEEPCNT)]

    assert (is_asked, options) == (1, [5, 3])


@pytest.mark.parametrize("kind", [MYSQL, "mariadb"])
def test_a_transaction_of_which_nothing_is_heard_any_more_gives_its_locks_back(kind, request):
    url = request.getfixturevalue(f"{kind}_url")
    with with_tables(url) as database, proxied(url) as (way, proxy):
        move_in(database, crowd(1))
        lost = open_database(way, patience=Patience(1, 1))
        rename = sa.update(customers).values(name="renamed")
        try:
            with pytest.raises(OperationalError), writing(lost) as connection:
                connection.execute(rename)
                proxy.swallow()
                connection.execute(rename)
            with writing(database) as connection:
                connection.exec_driver_sql("SET innodb_lock_wait_timeout = 60")
                assert connection.execute(rename).rowcount <= 1
        finally:
            lost.dispose()
