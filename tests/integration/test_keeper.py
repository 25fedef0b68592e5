"""One database server for several processes, and none once they are gone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.databases import NoServer, Server, find_server
from tests.keeper import ROOT, kept, wait_until_gone

USER = """
import sys
from pathlib import Path
from tests.keeper import kept

with kept("mariadb", Path(sys.argv[1])) as server:
    print(server.admin.render_as_string(hide_password=False), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _needs_a_program() -> None:
    try:
        find_server("mariadbd")
    except NoServer as reason:
        pytest.skip(str(reason))


@contextmanager
def user(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until its input ends."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", USER, folder], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def answers(url: str) -> bool:
    return Server(make_url(url), make_url(url)).answers()


def test_all_have_the_same_server_and_the_last_one_out_takes_it_away(tmp_path):
    with user(tmp_path) as one, user(tmp_path) as other:
        url = address(one)
        assert address(other) == url

        one.communicate()
        assert answers(url)
        other.communicate()

    wait_until_gone(tmp_path)
    assert not answers(url)


def test_users_that_are_killed_leave_no_server_behind(tmp_path):
    with user(tmp_path) as one:
        url = address(one)
        assert answers(url)
        one.kill()
        one.wait()

    wait_until_gone(tmp_path)
    assert not answers(url)


def test_who_comes_when_all_others_left_has_a_new_one(tmp_path):
    with ExitStack() as stack:
        former = stack.enter_context(kept("mariadb", tmp_path))
    with kept("mariadb", tmp_path) as server:
        assert server.answers()
        wait = server.admin

    wait_until_gone(tmp_path)
    assert not Server(wait, wait).answers()
    assert not former.answers()
