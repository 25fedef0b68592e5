"""The schema on every database we support: up, down, and again."""

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from app.store import log_parts, shards
from app.store.tables import metadata
from migrations import newest, schema
from tests import starting
from tests.tables import give_tables, statements

STEPS = schema.revisions()


def tables(connection: Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names()) - {"alembic_version"}


def pretend_to_be_at(connection: Connection, revision: str) -> None:
    """As if the process had died after the step's statements and before its number was noted."""
    connection.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    connection.commit()


def test_an_upgrade_makes_every_table(connection):
    schema.upgrade(connection)

    assert tables(connection) == set(metadata.tables)
    assert schema.status(connection).is_current


def test_the_tables_are_those_that_the_program_expects(connection):
    schema.upgrade(connection)

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, metadata) == []


def test_a_second_upgrade_changes_nothing(connection):
    schema.upgrade(connection)
    connection.execute(sa.text("INSERT INTO customers (name, gender, mobile) VALUES ('王芳', 0, '13800000000')"))
    connection.commit()

    schema.upgrade(connection)

    assert connection.execute(sa.text("SELECT COUNT(*) FROM customers")).scalar_one() == 1


def test_the_newest_revision_is_known_without_alembic(connection):
    assert newest.status(connection) == ("", STEPS[-1])

    schema.upgrade(connection)

    assert newest.status(connection) == (STEPS[-1], STEPS[-1])


def test_every_step_goes_down_and_up_again(connection):
    schema.upgrade(connection)

    for revision in [*STEPS[-2::-1], "base"]:
        schema.downgrade(connection, revision)
        assert schema.status(connection).current == revision.replace("base", "")
    assert tables(connection) == set()
    for revision in STEPS:
        schema.upgrade(connection, revision)
        assert schema.status(connection).current == revision


@pytest.mark.long
def test_each_step_interrupted_on_its_way_up_can_be_run_again(connection):
    schema.upgrade(connection, STEPS[0])
    for before, revision in pairwise(STEPS):
        schema.upgrade(connection, revision)
        pretend_to_be_at(connection, before)

        schema.upgrade(connection, revision)

        assert schema.status(connection).current == revision
    assert tables(connection) == set(metadata.tables)


@pytest.mark.long
def test_each_step_interrupted_on_its_way_down_can_be_run_again(connection):
    schema.upgrade(connection)
    for revision, before in pairwise(reversed(STEPS)):
        schema.downgrade(connection, before)
        pretend_to_be_at(connection, revision)

        schema.downgrade(connection, before)

        assert schema.status(connection).current == before
    schema.downgrade(connection, "base")
    assert tables(connection) == set()


def test_shards_from_before_there_were_rejects_have_none_and_an_audience_where_they_are_over(connection):
    schema.upgrade(connection, "0003")
    connection.execute(
        sa.text(
            "INSERT INTO campaigns (id, name, template, state, reason, created_at)"
            " VALUES (1, 'a', '', 'running', '', '2024-01-01 00:00:00')"
        )
    )
    for number, state in enumerate(("finished", "open")):
        connection.execute(
            sa.text("INSERT INTO shards VALUES (1, :number, 0, 9, :state, 5, 4, 4, 0, 0, 100, 1, '', 0)"),
            {"number": number, "state": state},
        )
    connection.commit()

    schema.upgrade(connection)

    rows = connection.execute(sa.text("SELECT sent, rejected, audience FROM shards ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [(4, 0, 4), (4, 0, None)]


def test_a_shard_from_before_there_were_parts_has_one_in_the_folder_that_had_it(connection):
    ours = next(each.name[:4] for each in Path("migrations/versions").glob("*_log_parts.py"))
    before = STEPS[STEPS.index(ours) - 1]
    schema.upgrade(connection, before)
    for number, gateway in ((1, "log"), (2, "net")):
        connection.execute(
            sa.text(
                "INSERT INTO campaigns (id, name, template, state, reason, created_at, gateway)"
                " VALUES (:number, :gateway, '', 'running', '', '2024-01-01 00:00:00', :gateway)"
            ),
            {"number": number, "gateway": gateway},
        )
        for shard, owner in enumerate(("here-1f", "")):
            connection.execute(
                sa.text(
                    "INSERT INTO shards (campaign_id, number, after_id, to_id, state, last_id, sent, male, female,"
                    " unknown, log_bytes, work_ms, owner, lease_until_ms)"
                    " VALUES (:number, :shard, 40, 90, 'open', 50, 4, 4, 0, 0, 100, 1, :owner, 0)"
                ),
                {"number": number, "shard": shard, "owner": owner},
            )
    connection.commit()

    schema.upgrade(connection, ours)
    pretend_to_be_at(connection, before)
    schema.upgrade(connection)

    with connection.engine.connect() as another:
        open_shard, fresh = shards.of_campaign(another, 1)
        parts = log_parts.of_shards(another, [open_shard, fresh])
        assert another.execute(sa.text("SELECT COUNT(*) FROM log_parts")).scalar_one() == 1
    (part,) = parts[0]
    assert (part.folder, part.first_id, part.last_id, part.from_byte, part.to_byte) == ("here-1f", 41, 50, 0, 100)
    assert (part.tally.sent, part.is_open, parts[1]) == (4, True, [])


def test_the_copies_that_tests_are_given_are_the_tables_that_the_migrations_make(connection):
    schema.upgrade(connection)
    made = statements(connection)

    for _ in range(2):  # the first may be the one that is copied
        schema.downgrade(connection, "base")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.commit()
        give_tables(connection.engine)

    assert statements(connection) == made
    assert schema.status(connection).is_current


def test_a_customer_needs_only_a_name_a_gender_and_a_mobile(connection):
    schema.upgrade(connection)

    connection.execute(sa.text("INSERT INTO customers (name, gender, mobile) VALUES ('𠮷田😀', NULL, '13800000000')"))

    row = connection.execute(sa.text("SELECT id, name, gender, mobile, created_at FROM customers")).one()
    assert tuple(row)[:4] == (1, "𠮷田😀", None, "13800000000")
    assert row.created_at is not None


def migrations(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return starting.run(["-m", "migrations", *options], os.environ | {"DATABASE_URL": url})


def test_the_command_upgrades_once_and_then_has_nothing_to_do(sqlite_url):
    first, second = migrations(sqlite_url), migrations(sqlite_url)

    assert (first.returncode, first.stdout) == (0, f"schema went from base to {STEPS[-1]}\n")
    assert (second.returncode, second.stdout) == (0, f"schema is at {STEPS[-1]}, nothing to do\n")


def test_the_command_goes_up_and_down_to_a_revision(sqlite_url):
    went = [migrations(sqlite_url, "--to", to).stdout for to in ("0002", "0001", "base")]

    assert went == [
        "schema went from base to 0002\n",
        "schema went from 0002 to 0001\n",
        "schema went from 0001 to base\n",
    ]


def test_the_status_fails_until_the_schema_is_the_newest(sqlite_url):
    before = migrations(sqlite_url, "status")
    migrations(sqlite_url)
    after = migrations(sqlite_url, "status")

    assert (before.returncode, before.stdout) == (1, f"database base, newest {STEPS[-1]}\n")
    assert (after.returncode, after.stdout) == (0, f"database {STEPS[-1]}, newest {STEPS[-1]}\n")


def test_an_unknown_revision_is_wrong_usage(sqlite_url):
    assert migrations(sqlite_url, "--to", "9999").returncode == 2
