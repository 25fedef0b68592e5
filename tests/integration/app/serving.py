"""The product as an operator has it: `python -m app …` in processes of their own, in a folder of a test."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest
import sqlalchemy as sa
import sysv_ipc
from sqlalchemy import Connection, Engine

from app.domain.campaign import State
from app.store.campaigns import find
from app.store.database import open_database, writing
from app.store.tables import campaigns, shards
from engine import Client, ftok
from tests import starting
from tests.ports import free_port
from tests.queues import queue_of
from tests.waiting import until
from tests.words import words

ROOT = Path(__file__).parents[3]
WITHIN_S = 60.0
"""How long any one thing may take before the test fails."""


def changed(module: str, *, command: str = "serve", **values: object) -> Sequence[str]:
    """A `program` of Product that has other values in a module of ours, such as less patience."""
    changes = "\n".join(f"changed.{name} = {value!r}" for name, value in values.items())
    code = f"""
import importlib

changed = importlib.import_module({module!r})
{changes}
from app import console
from app.cli.main import cli

console.run(cli)
"""
    return "-c", code, command


ON_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For a whole server where the kind of database has no part, or one that is tested without a server on each kind."""


def in_small_pages(rows: int) -> Sequence[str]:
    """A `program` whose pages have so many customers and last a tenth of a second more, between the log and the record:
    however busy the machine is, a test meets a campaign of some dozens of them halfway."""
    code = f"""
import time
from app import console
from app.cli.main import cli
from app.sending import journal

record = journal.Journal._record

def slowly(*arguments):
    time.sleep(0.1)
    record(*arguments)

journal.PAGE_ROWS = {rows}
journal.Journal._record = slowly
console.run(cli)
"""
    return "-c", code, "serve"


IN_SMALL_PAGES = in_small_pages(1_000)
"""For 100,000 customers."""


class Product:
    """One configuration: a database, a folder of logs, a port, and the server that runs on them now and then.

    At the end of the `with` the server is stopped; then no process of it is left, its queue and
    temporary files are gone, and its log holds no traceback, unless a test `expects_tracebacks`.
    """

    expects_tracebacks = False
    program: Sequence[str] = ("-m", "app", "serve")
    """What starts the server, behind `python`."""
    cold = False
    """Whether it and the commands are started as a shell does; see tests/starting.py."""
    prefix: Sequence[str] = ()
    """What comes before `python`, as to be on another host."""

    def __init__(self, database_url: str, home: Path, **settings: object) -> None:
        """`settings`: `shard_size=10` is SMS_SHARD_SIZE."""
        self.url = database_url
        self.database = open_database(database_url)
        self.logs = Path(str(settings.get("log_dir", home / "logs")))
        self.port = free_port()
        self.server_log = home / "server.log"
        self.server: starting.Process | None = None
        self._tmp = home / "tmp"
        self._tmp.mkdir()
        self._groups: list[int] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SMS_")},
            "DATABASE_URL": database_url,
            "SMS_HOST": "127.0.0.1",
            "SMS_LANGUAGE": "en",
            "SMS_PORT": str(self.port),
            "SMS_LOG_DIR": str(self.logs),
            "TMPDIR": str(self._tmp),
            **{f"SMS_{name.upper()}": str(value) for name, value in settings.items()},
        }

    # ── its life ────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.server:
                code = self.stop()
                assert code == 0 or kind, f"the server ended with {code}:\n{self.said()}"
        finally:
            for group in self._groups:
                _kill(group)
            self.database.dispose()
            has_left_a_queue = self.has_queue()
            if has_left_a_queue:
                sysv_ipc.MessageQueue(self._key()).remove()
        if kind is None:
            assert not has_left_a_queue
            assert self.expects_tracebacks or "Traceback" not in self.said()
            assert list(self._tmp.glob("*/*")) == []

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        self._take_key()
        already = self.said().count("server ready")
        with self.server_log.open("ab") as log:
            self.server = starting.start(
                self.program,
                self.environment,
                stdout=log.fileno(),
                stderr=log.fileno(),
                new_session=True,
                cold=self.cold,
                prefix=self.prefix,
            )
        self._groups.append(self.server.pid)
        server = self.server
        until(
            lambda: server.poll() is not None or self.said().count("server ready") > already,
            within_s=WITHIN_S,
            what="the server is ready",
        )
        assert server.poll() is None, self.said()

    def stop(self) -> int:
        """Ask the server to stop; its exit status, once every process of it is gone."""
        self.tell_to_stop()
        return self.wait_until_gone()

    def tell_to_stop(self) -> None:
        """SIGTERM to the server's own process, as an operator sends it."""
        self._running().terminate()

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to every process of the terminal's group."""
        os.killpg(self._running().pid, signal.SIGINT)

    def kill_everything(self) -> None:
        """`kill -9` to every process of the server at once."""
        _kill(self._running().pid)
        self.wait_until_gone()

    def child(self, title: str) -> psutil.Process:
        """The process of the server with this title."""
        return until(lambda: self._find(title), within_s=WITHIN_S, what=f"there is a {title}")

    def has_queue(self) -> bool:
        """Whether the kernel has a message queue that is named after the folder of logs."""
        try:
            return queue_of(self._key()) is not None
        except FileNotFoundError:
            return False

    def _key(self) -> int:
        return ftok(str(self.logs), 1)

    def _take_key(self) -> None:
        """Have a folder of logs whose queue is nobody else's. A queue is named after sixteen bits of its folder's
        number, and while some servers run so many folders are made that two of them would meet now and then."""
        if os.path.lexists(self.logs) or not self.logs.parent.is_dir():
            return
        made: list[Path] = []
        while not made or queue_of(ftok(str(made[-1]), 1)):
            made.append(Path(tempfile.mkdtemp(prefix=".logs-", dir=self.logs.parent)))  # for us alone, as a server's
        made.pop().rename(self.logs)
        for each in made:
            each.rmdir()

    def said(self) -> str:
        """What the server wrote to its stderr, over all its lives."""
        return self.server_log.read_text() if self.server_log.exists() else ""

    def _running(self) -> starting.Process:
        assert self.server, "the server is not running"
        return self.server

    def wait_until_gone(self) -> int:
        """The server's exit status, once every process of it is gone."""
        server = self._running()
        code = server.wait(WITHIN_S)
        until(lambda: not _members(server.pid), within_s=WITHIN_S, what="every process of the server is gone")
        self.server = None
        return code

    def _find(self, title: str) -> psutil.Process | None:
        for process in psutil.Process(self._running().pid).children():
            try:
                if " ".join(process.cmdline()).strip() == title:
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    # ── its users ───────────────────────────────────────────────────────────────────────────────

    def client(self) -> Client:
        return Client("127.0.0.1", self.port, timeout_s=WITHIN_S)

    def ask(self, body: bytes | str) -> str:
        """The first line that answers a frame."""
        with self.client() as client:
            client.send(body)
            return client.read_line()

    def run(self, *arguments: str, module: str = "app") -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return starting.run(
            ["-m", module, *arguments], self.environment, within_s=WITHIN_S, cold=self.cold, prefix=self.prefix
        )

    # ── what the database says ──────────────────────────────────────────────────────────────────

    def state(self, campaign: str) -> str:
        with self.database.connect() as connection:
            query = sa.select(campaigns.c.state).where(campaigns.c.name == campaign)
            return connection.execute(query).scalar_one_or_none() or ""

    def reason(self, campaign: str) -> str:
        with self.database.connect() as connection:
            found = find(connection, campaign)
            return words(found.reason) if found and found.reason else ""

    def sent(self) -> int:
        """Messages on record, over all campaigns."""
        with self.database.connect() as connection:
            return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(shards.c.sent), 0))).scalar_one())

    def count_campaigns(self) -> int:
        with self.database.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(campaigns)).scalar_one()

    def wait_until_over(self, campaign: str, within_s: float = WITHIN_S) -> str:
        """The final state."""
        over = {State.FINISHED, State.FAILED, State.CANCELLED}
        try:
            until(lambda: self.state(campaign) in over, within_s=within_s, what=f"{campaign} is over")
        except AssertionError as error:
            error.add_note(f"the server said:\n{self.said()}")
            raise
        return self.state(campaign)

    def on_record(self) -> dict[str, tuple[int, int]]:
        """Bytes of every log according to the database, and really; by campaign and file."""
        query = sa.select(campaigns.c.name, shards.c.number, shards.c.log_bytes).join(campaigns)
        with self.database.connect() as connection:
            rows = connection.execute(query).all()
        paths = {f"{name}/task_{number}.log": log_bytes for name, number, log_bytes in rows}
        return {path: (recorded, size_of(self.logs / path)) for path, recorded in paths.items()}

    @contextmanager
    def frozen_some(self) -> Iterator[None]:
        """Wait until something is sent, then let no checkpoint happen."""
        until(lambda: self.sent() > 0, within_s=WITHIN_S, what="something is sent")
        with frozen(self.database):
            yield

    @contextmanager
    def frozen_halfway(self) -> Iterator[Connection]:
        """Wait until something of each shard is sent, then let no checkpoint happen, so that a page stands in a log
        and is not on record."""
        until(
            lambda: all(recorded for recorded, _ in self.on_record().values()),
            within_s=WITHIN_S,
            what="something is sent",
        )
        with frozen(self.database) as connection:
            until(
                lambda: any(size > recorded for recorded, size in self.on_record().values()),
                within_s=WITHIN_S,
                what="a log is ahead of the record",
            )
            yield connection


@contextmanager
def frozen(database: Engine) -> Iterator[Connection]:
    """Hold the lock that every checkpoint needs; by this connection."""
    with writing(database) as connection:  # on SQLite that is the only writer there can be
        if connection.dialect.name != "sqlite":
            connection.execute(sa.select(shards.c.number).with_for_update())
        yield connection


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _members(group: int) -> list[psutil.Process]:
    """Living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
