"""One database server for all processes of a test run, kept by a process of its own.

Who uses the server holds a shared lock on a file; the keeper waits until nobody does any more, and takes the server
away. The kernel lets a lock go with the process that held it, so nothing stays, however the tests end.
"""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.databases import NoServer, Server, mariadb_server, mysql_server
from tests.waiting import until

ROOT = Path(__file__).parents[1]
KINDS: dict[str, Callable[[], AbstractContextManager[Server]]] = {"mysql": mysql_server, "mariadb": mariadb_server}
START_S = 120.0


@contextmanager
def kept(kind: str, folder: Path) -> Iterator[Server]:
    """The server of this kind that every process with this folder uses; the first one has it started.

    Raises NoServer where there can be none.
    """
    with _locked(_users(folder, kind), fcntl.LOCK_SH):  # waits while a keeper is about to leave
        with _locked(folder / f"{kind}.door", fcntl.LOCK_EX):
            said = _said(folder, kind) or _start(kind, folder)
        if "none" in said:
            raise NoServer(said["none"])
        if "trouble" in said:
            raise RuntimeError(said["trouble"])
        yield Server(make_url(said["admin"]), make_url(said["user"]))


def wait_until_gone(folder: Path) -> None:
    """Until no server of this folder is left; for who has let go of it, as all others have."""
    for kind in KINDS:
        until(
            lambda kind=kind: "admin" not in _said(folder, kind),
            within_s=START_S,
            what=f"the keeper of {kind} takes it away",
        )
        with _locked(_users(folder, kind), fcntl.LOCK_SH):
            pass


def _users(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.users"


def _words(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.json"


def _said(folder: Path, kind: str) -> dict[str, str]:
    """What the keeper says: the addresses, or why there is no server; empty while there is no keeper."""
    try:
        return dict(json.loads(_words(folder, kind).read_text()))
    except FileNotFoundError:
        return {}


def _start(kind: str, folder: Path) -> dict[str, str]:
    file = folder / f"{kind}.log"
    with file.open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper", kind, folder],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests
        )
    until(lambda: _said(folder, kind) or keeper.poll() is not None, within_s=START_S, what=f"{kind} is there or not")
    return _said(folder, kind) or {"trouble": f"the keeper of {kind} ended:\n{file.read_text()}"}


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a child that was forked has the descriptor still
    finally:
        os.close(descriptor)


# ── the keeper's process ────────────────────────────────────────────────────────────────────────


def keep(kind: str, folder: Path) -> None:
    """Have the server while somebody uses it. Who started us is the first one, and so we wait for nobody."""
    try:
        with ExitStack() as until_it_is_gone, KINDS[kind]() as server:
            addresses = [each.render_as_string(hide_password=False) for each in (server.admin, server.user)]
            _say(folder, kind, admin=addresses[0], user=addresses[1])
            until_it_is_gone.enter_context(_locked(_users(folder, kind), fcntl.LOCK_EX))
            _words(folder, kind).unlink()  # who comes now waits for the lock, and has another one started
    except NoServer as reason:
        _say(folder, kind, none=str(reason))


def _say(folder: Path, kind: str, **words: str) -> None:
    new = folder / f"{kind}.json.new"
    new.touch(0o600)
    new.write_text(json.dumps(words))
    new.replace(_words(folder, kind))  # whole, or not there


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
