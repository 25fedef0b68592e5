"""A database that is not well: what was undone is done again, and no connection has two owners. In this process."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from app.domain.orders import Outcome
from app.sending import journal
from app.store import faults, shards
from app.store.database import open_database, writing
from app.store.faults import write
from app.store.tables import customers
from tests.conftest import MYSQL
from tests.integration.app.campaigns import send, trigger, with_tables
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in

WITHIN_S = 20.0
CROWD = crowd(10)


@pytest.fixture(params=[MYSQL, "mariadb"])
def server_database(request):
    """Tables without rows, on a server that locks row by row."""
    with with_tables(request.getfixturevalue(f"{request.param}_url")) as engine:
        yield engine


def rename(connection: Connection, number: int, name: str) -> None:
    connection.execute(sa.update(customers).where(customers.c.id == number).values(name=name))


def names(database: Engine) -> list[str]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(customers.c.name).order_by(customers.c.id)).scalars())


def test_of_two_transactions_that_read_a_row_and_then_change_it_both_are_done(server_database):
    move_in(server_database, CROWD[:1])
    both_have_read = Barrier(2)

    def change(name: str) -> None:
        def unit(connection: Connection) -> None:
            connection.execute(sa.select(customers.c.name)).all()
            if name not in begun:  # the second try of who was undone meets nobody
                begun.add(name)
                both_have_read.wait(WITHIN_S)
            rename(connection, 1, name)
            done.append(name)

        write(server_database, unit)

    begun: set[str] = set()
    done: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(change, ["one", "other"], timeout=WITHIN_S))

    assert set(done) == {"one", "other"}
    assert names(server_database) == [done[-1]]


def test_of_two_transactions_in_a_deadlock_both_are_done(server_database, caplog):
    move_in(server_database, CROWD[:2])
    both_have_one = Barrier(2)

    def change(order: tuple[int, int]) -> None:
        def unit(connection: Connection) -> None:
            for step, number in enumerate(order):
                rename(connection, number, f"{order}")
                if step == 0 and order not in begun:  # the second try of who was undone meets nobody
                    begun.add(order)
                    both_have_one.wait(WITHIN_S)

        write(server_database, unit)

    begun: set[tuple[int, int]] = set()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(change, [(1, 2), (2, 1)], timeout=WITHIN_S))

    first, second = names(server_database)
    assert first == second in {"(1, 2)", "(2, 1)"}
    assert "1213" in "".join(each.error for each in caplog.records)


def test_a_lock_that_is_not_given_in_time_is_asked_for_again(server_database, caplog):
    move_in(server_database, CROWD[:1])
    holder = server_database.connect()
    rename(holder, 1, "held")

    def unit(connection: Connection) -> None:
        connection.execute(sa.text("SET innodb_lock_wait_timeout = 1"))
        if caplog.records:
            holder.rollback()
        rename(connection, 1, "done")

    write(server_database, unit)

    holder.close()
    assert names(server_database) == ["done"]
    assert "1205" in caplog.records[0].error


def test_an_sqlite_that_is_busy_is_asked_again(sqlite, monkeypatch):
    move_in(sqlite, CROWD[:1])
    other = sqlite3.connect(str(sqlite.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sa.event.listen(sqlite, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 0"))
    sqlite.dispose()
    tries = []

    def give_way(state: object) -> None:
        tries.append(state)
        if len(tries) == 2:
            other.execute("ROLLBACK")

    monkeypatch.setattr(faults, "_note", give_way)

    write(sqlite, lambda connection: rename(connection, 1, "done"))

    other.close()
    assert len(tries) == 2
    assert names(sqlite) == ["done"]


def test_what_is_wrong_for_good_is_not_tried_again(database):
    move_in(database, CROWD[:1])
    tries = []

    def unit(connection: Connection) -> None:
        tries.append(1)
        connection.execute(sa.insert(customers).values(id=1, name="again", mobile="1"))

    with pytest.raises(IntegrityError):
        write(database, unit)

    assert len(tries) == 1


def test_patience_ends(sqlite, monkeypatch):
    monkeypatch.setattr(faults, "TRY_FOR_S", 0.2)

    def unit(_connection: Connection) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("UPDATE", {}, error)

    with pytest.raises(OperationalError):
        write(sqlite, unit)


@pytest.mark.parametrize("number", [1290, 1792, 1836, 2013, 1146])
def test_a_database_that_may_be_well_again_blocks_a_shard_and_costs_no_message(sqlite, logs, monkeypatch, number):
    monkeypatch.setattr(journal, "PAGE_ROWS", 3)
    monkeypatch.setattr(faults, "TRY_FOR_S", 0.1)
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 100)
    with monkeypatch.context() as context:
        context.setattr(shards, "checkpoint", raises(OperationalError("UPDATE", {}, Exception(number, "no"))))
        blocked = send(sqlite, logs, campaign)

    assert (blocked, send(sqlite, logs, campaign)) == (Outcome.BLOCKED, Outcome.COMPLETE)
    assert logs_of(logs, "a") == expected_logs(CROWD, 100)


def test_an_error_that_is_ours_is_no_pause(sqlite, logs, monkeypatch):
    move_in(sqlite, CROWD)
    campaign = trigger(sqlite, "a", 100)
    monkeypatch.setattr(shards, "checkpoint", raises(IntegrityError("UPDATE", {}, Exception(1062, "twice"))))

    with pytest.raises(DBAPIError):
        send(sqlite, logs, campaign)


def raises(error: Exception):
    def call(*_: object) -> None:
        raise error

    return call


def connection_id(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(sa.text("SELECT CONNECTION_ID()")).scalar_one())


def test_a_forked_process_has_no_connection_of_its_parent(server_database):
    database = open_database(server_database.url.render_as_string(hide_password=False))
    ours = connection_id(database)
    read_end, write_end = os.pipe()

    if (child := os.fork()) == 0:
        try:
            os.write(write_end, str(connection_id(database)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(read_end, 100))

    os.close(read_end)
    os.close(write_end)
    assert theirs != ours
    assert connection_id(database) == ours  # and ours lives on
    with writing(database) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one() == 0
    database.dispose()


def test_no_error_quotes_a_statement_in_which_values_are_written_out(sqlite):
    with pytest.raises(DBAPIError) as told, sqlite.connect() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (13812345678)")

    assert "13812345678" not in str(told.value)
    assert "no such table" in str(told.value)


def test_a_connection_to_a_server_that_is_read_only_is_not_kept(own_mariadb, monkeypatch):
    """Its name may lead to another one by now, and this one answers on."""
    monkeypatch.setattr(faults, "TRY_FOR_S", 0.0)
    with own_mariadb.schema() as url, with_tables(url) as database:
        move_in(database, CROWD[:1])
        before = connection_id(database)
        own_mariadb.execute("SET GLOBAL read_only = 1")
        try:
            with pytest.raises(DBAPIError) as told:
                write(database, lambda connection: rename(connection, 1, "new"))
        finally:
            own_mariadb.execute("SET GLOBAL read_only = 0")

        assert told.value.orig.args[0] == 1290
        assert connection_id(database) != before
        write(database, lambda connection: rename(connection, 1, "new"))
        assert names(database) == ["new"]
