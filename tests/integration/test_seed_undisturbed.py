"""The table is full or empty, never in between: signals, two at once, other programs."""

import os
import pty
import signal
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.store.database import open_database
from seed import loader
from seed.customers import Row
from seed.errors import RowsLost
from tests.integration.seeding import WITHIN_S, connected, count_in, fill, in_the_middle, made_up, rows_in, run, start
from tests.words import refused

INTERRUPTED = "interrupted: the customers are all there or none is; run it again\n"
RESET = "interrupted: the customers are those of before, or all the new ones; run it again\n"


def test_a_killed_seed_leaves_an_empty_table_and_the_next_run_completes(database_url):
    process = in_the_middle(database_url)

    process.kill()
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert count_in(database_url) == 0
    assert run(database_url, "--customers", "1000").returncode == 0
    assert rows_in(database_url) == made_up(1000)


def test_an_interrupted_seed_ends_with_one_line_and_leaves_an_empty_table(database_url):
    process = in_the_middle(database_url)

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=WITHIN_S)

    assert (process.returncode, stderr) == (130, INTERRUPTED)
    assert count_in(database_url) == 0


def test_a_terminated_seed_ends_as_an_interrupted_one_with_a_status_of_its_own(sqlite_url):
    process = in_the_middle(sqlite_url)

    process.terminate()
    _, stderr = process.communicate(timeout=WITHIN_S)

    assert (process.returncode, stderr) == (143, INTERRUPTED)
    assert count_in(sqlite_url) == 0


def test_an_interrupted_reset_says_what_became_of_the_customers_of_before(database_url):
    fill(database_url, 1000)
    process = in_the_middle(database_url, "--reset", "--yes")

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=WITHIN_S)

    are_lost = "the customers of before are deleted, and the new ones are all there or none is"
    said, left = (RESET, 1000) if database_url.startswith("sqlite") else (f"interrupted: {are_lost}; run it again\n", 0)
    assert (process.returncode, stderr) == (130, said)
    assert count_in(database_url) == left


def test_a_seed_that_is_interrupted_at_its_question_changes_nothing(sqlite_url):
    fill(sqlite_url, 1000)
    ours, theirs = pty.openpty()
    process = start(sqlite_url, "--customers", "10", "--reset", stdin=theirs)
    assert process.stdout is not None
    process.stdout.read(len("Delete 1,000 customers?"))

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=WITHIN_S)
    os.close(ours)
    os.close(theirs)

    assert (process.returncode, stderr) == (130, RESET)
    assert rows_in(sqlite_url) == made_up(1000)


def test_a_killed_reset_leaves_all_the_old_rows_or_none(database_url):
    fill(database_url, 1000)
    process = in_the_middle(database_url, "--reset", "--yes")

    process.kill()
    process.communicate()

    assert rows_in(database_url) in ([], made_up(1000))


def test_of_two_at_once_one_writes_and_the_other_finds_the_rows(database_url):
    both = [start(database_url, "--customers", "20000", "--random-seed", seed) for seed in ("1", "2")]

    outputs = [process.communicate(timeout=WITHIN_S) for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted("there already" in stdout for stdout, _ in outputs) == [False, True]
    assert rows_in(database_url) in (made_up(20_000, seed=1), made_up(20_000, seed=2))


def test_a_seed_that_waits_for_another_says_so_and_can_be_interrupted(database_url):
    fill(database_url, 0)
    with connected(database_url) as connection:
        hold(connection)
        process = start(database_url, "--customers", "10")
        assert process.stdout is not None
        said = process.stdout.readline()

        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=WITHIN_S)

    assert "waiting" in said
    assert (process.returncode, stderr) == (130, INTERRUPTED)
    assert count_in(database_url) == 0


def hold(connection: sa.Connection) -> None:
    """As another seed does while it writes."""
    if connection.dialect.name == "sqlite":
        connection.execution_options(writes=True).begin()
    else:
        name = f"seed {connection.engine.url.database}"
        assert connection.execute(sa.text("SELECT GET_LOCK(:name, 0)"), {"name": name}).scalar_one() == 1


@pytest.mark.mysql
def test_rows_that_another_program_got_in_between_undo_the_whole_run(mysql_url):
    def people() -> Iterator[list[Row]]:
        yield [(1, "王芳", 0, "13800000001")]
        with connected(mysql_url) as other:
            other.execute(sa.text("INSERT INTO customers (id, name, mobile) VALUES (2, '李伟', '13900000000')"))
            other.commit()
        yield [(2, "王伟", 1, "13800000002"), (3, "王娜", 0, "13800000003")]

    engine = open_database(mysql_url, local_infile=True)
    with refused(RowsLost, match="of 2 rows the database kept 1"):
        loader.fill(engine, people(), reset=False, say=lambda _: None, on_added=lambda _: None)
    engine.dispose()

    assert rows_in(mysql_url) == [(2, "李伟", None, "13900000000")]
