"""How the database is opened."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store.database import _warned, fetch_packed, open_database, writing
from app.store.tables import customers
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in


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
        together.wait(10)
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
        with with_tables(f"sqlite:///{tmp_path / 'new' / 'sms.db'}") as database, database.connect():
            files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "new").iterdir()}
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
