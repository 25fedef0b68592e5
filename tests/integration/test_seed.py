"""`python -m seed` as a process of its own: what it writes, and what it leaves alone."""

import importlib.util
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from seed.__main__ import cli
from tests.databases import Server
from tests.integration.seeding import ROOT, WITHIN_S, connected, count_in, fill, made_up, rows_in, run, start

FAST = pytest.param(
    "mysqldb",
    marks=pytest.mark.skipif(not importlib.util.find_spec("MySQLdb"), reason="the extra `fast` is not installed"),
)


def test_the_same_people_are_in_every_database(database_url):
    done = run(database_url, "--customers", "1000", "--random-seed", "7")

    assert (done.returncode, done.stderr) == (0, "")
    assert rows_in(database_url) == made_up(1000, seed=7)


@pytest.mark.mysql
@pytest.mark.parametrize("driver", [FAST])
def test_the_fast_driver_writes_the_same_people(mysql_url, driver):
    done = run(mysql_url.replace("pymysql", driver), "--customers", "1000")

    assert done.returncode == 0, done.stderr
    assert rows_in(mysql_url) == made_up(1000)


@pytest.mark.alone(reason="it changes a setting of the MySQL that all tests share")
@pytest.mark.mysql
@pytest.mark.parametrize("driver", ["pymysql", FAST])
def test_where_local_files_are_forbidden_rows_are_inserted_and_a_line_says_so(mysql_server, mysql_url, driver):
    with local_files_forbidden(mysql_server):
        done = run(mysql_url.replace("pymysql", driver), "--customers", "51000")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("local_infile is off") == 1
    assert rows_in(mysql_url) == made_up(51000)


@contextmanager
def local_files_forbidden(server: Server) -> Iterator[None]:
    try:
        server.execute("SET GLOBAL local_infile = 0")
    except sa.exc.DBAPIError as error:
        pytest.skip(f"this account may not change the server: {error.orig}")
    try:
        yield
    finally:
        server.execute("SET GLOBAL local_infile = 1")


def test_a_second_run_says_how_many_are_there_and_changes_nothing(database_url):
    fill(database_url, 1000)

    done = run(database_url, "--customers", "2000", "--random-seed", "1")

    assert done.returncode == 0
    assert "1,000 customers are there already" in done.stdout
    assert rows_in(database_url) == made_up(1000)


def test_one_customer_is_spoken_of_in_the_singular(sqlite_url):
    first = run(sqlite_url, "--customers", "1")
    again = run(sqlite_url, "--customers", "1")
    reset = run(sqlite_url, "--reset")

    assert first.stdout.splitlines()[-1].startswith("1 customer in ")
    assert again.stdout.startswith("1 customer is there already; ")
    assert reset.stderr == "error: --reset would delete 1 customer; add --yes to agree\n"


def test_no_customers_is_an_empty_table(sqlite_url):
    done = run(sqlite_url, "--customers", "0")

    assert done.returncode == 0
    assert count_in(sqlite_url) == 0


def test_the_end_tells_rows_time_and_rate(sqlite_url):
    done = run(sqlite_url, "--customers", "1000")

    assert re.fullmatch(r"1,000 customers in \d+\.\d s, [\d,]+ rows/s", done.stdout.splitlines()[-1])


def test_every_row_has_the_time_it_was_made(database_url):
    fill(database_url, 10)

    with connected(database_url) as connection:
        query = "SELECT COUNT(*) FROM customers WHERE created_at IS NULL"
        assert connection.execute(sa.text(query)).scalar_one() == 0


def test_reset_is_refused_where_nobody_can_be_asked(sqlite_url):
    fill(sqlite_url, 1000)

    done = run(sqlite_url, "--customers", "10", "--reset")

    assert done.returncode == 1
    assert done.stderr == "error: --reset would delete 1,000 customers; add --yes to agree\n"
    assert rows_in(sqlite_url) == made_up(1000)


def test_reset_with_yes_puts_new_people_in_place_of_the_old(database_url):
    fill(database_url, 1000)

    done = run(database_url, "--customers", "500", "--random-seed", "1", "--reset", "--yes")

    assert done.returncode == 0
    assert rows_in(database_url) == made_up(500, seed=1)


@pytest.mark.parametrize(("answer", "status", "left"), [("n", 1, 1000), ("y", 0, 10)])
def test_reset_asks_at_a_terminal_and_obeys_the_answer(sqlite_url, answer, status, left):
    fill(sqlite_url, 1000)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())

    process = start(sqlite_url, "--customers", "10", "--reset", stdin=theirs)
    stdout, _ = process.communicate(timeout=WITHIN_S)
    os.close(ours)
    os.close(theirs)

    assert "Delete 1,000 customers?" in stdout
    assert process.returncode == status
    assert count_in(sqlite_url) == left


def test_reset_of_an_empty_table_has_nothing_to_ask(sqlite_url):
    done = run(sqlite_url, "--customers", "10", "--reset")

    assert done.returncode == 0
    assert count_in(sqlite_url) == 10


def test_memory_stays_below_150_megabytes(sqlite_url):
    # The kernel's own figure for a child counts the memory of the process that forked it.
    program = (
        "import runpy, sys; sys.argv = ['seed', '--customers', '300000']\n"
        "try: runpy.run_module('seed', run_name='__main__')\n"
        "finally: print(open('/proc/self/status').read())"
    )
    command = [sys.executable, "-c", program]
    env = {**os.environ, "DATABASE_URL": sqlite_url}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=WITHIN_S)

    peak_kib = int(re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)[0])
    assert peak_kib * 1024 < 150_000_000


def test_a_database_that_does_not_answer_is_one_line_without_the_password():
    done = run("mysql+pymysql://sms:secret@127.0.0.1:1/sms")

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_schema_of_a_later_version_is_left_alone(sqlite_url):
    fill(sqlite_url, 0)
    with connected(sqlite_url) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()

    done = run(sqlite_url, "--customers", "10")

    assert done.returncode == 1
    assert done.stderr == "error: the schema is at 9999, which this version does not know; use a newer one\n"


@pytest.mark.parametrize("options", [["--customers", "-1"], ["--customers", "4294967296"], ["--nonsense"]])
def test_wrong_usage_is_exit_status_2(options):
    assert CliRunner().invoke(cli, options).exit_code == 2
