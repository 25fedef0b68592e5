"""What it costs a campaign that fifty people look at it, and what it costs the web process.

    python benchmarks/tabs.py [--customers 2000000] [--rounds 3] [--tabs 50]       needs Docker; about four minutes

Each round runs a campaign to logs twice beside a web process, once with nobody who looks and once with fifty streams
open, as many of the list, the campaign's own page and the system's page as of each other, in two languages; who is
first changes from round to round. The readers of the streams share the machine. The web process is the usual one but
that it counts its looks at the database.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil
import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from benchmarks.product import free_port, seed, send_campaign, serving

COUNTING = """
import os, sys
from app.web.looks import Looks
looks = os.open(os.environ["LOOKS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for name in ("_read", "_read_all"):
    def counted(self, what, read=getattr(Looks, name)):
        os.write(looks, b".")
        return read(self, what)
    setattr(Looks, name, counted)
from app import console
from app.cli.main import cli
sys.argv = ["app", "web"]
console.run(cli)
"""
out = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(slots=True)
class Looked:
    """What a run with streams came to."""

    seconds: float = 0.0
    rss: int = 0
    """Of the web process, its peak."""
    looks: int = 0
    """At the database, since all streams were open; to open them takes some more."""
    open_s: float = 0.0
    """How long they were."""
    cpu_s: float = 0.0
    events: int = 0
    """On all streams."""
    opened: int = 0
    """Streams on which something came."""


@dataclass(slots=True)
class Figures:
    """Of all rounds."""

    alone: list[float] = field(default_factory=list)
    looked_at: list[Looked] = field(default_factory=list)


def main(customers: int = 2_000_000, rounds: int = 3, tabs: int = 50, driver: str = "pymysql") -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    found = Figures()
    with mysql.throw_away() as database:
        seed(database, "tabs", customers)
        url, shard_size = database.url(driver, "tabs"), mysql.per_client(customers)
        for number in range(rounds):
            kinds = [0, tabs] if number % 2 == 0 else [tabs, 0]
            for count in kinds:
                run = _run(url, f"r{number}-{count}", shard_size, count)
                out.print(f"[dim]round {number + 1}: {count} tabs, {run.seconds:.2f} s, {run.opened} of them live")
                if count:
                    found.looked_at.append(run)
                else:
                    found.alone.append(run.seconds)
    show(customers, tabs, found)


def _run(url: str, name: str, shard_size: int, tabs: int) -> Looked:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(url, Path(folder), shard_size) as (_, port),
        _web(url, Path(folder), port) as (web, web_port, looks),
    ):
        run, is_over = Looked(), Event()
        readers = Thread(target=lambda: asyncio.run(_look(web_port, name, tabs, run, is_over)))
        memory = Thread(target=lambda: _watch(web, looks, tabs, run, is_over))
        for each in (readers, memory):
            each.start()
        cpu_before = _cpu_s(web)
        try:
            run.seconds = send_campaign(port, name, allow_duplicates=True).seconds
        finally:
            is_over.set()
            for each in (readers, memory):
                each.join()
        run.cpu_s = _cpu_s(web) - cpu_before
    return run


@contextmanager
def _web(url: str, folder: Path, port: int) -> Iterator[tuple[psutil.Process, int, Path]]:
    """A web process beside the server on this port; where it listens, and the file that grows by a byte a look."""
    web_port, looks, log = free_port(), folder / "looks", folder / "web.log"
    settings = {
        "DATABASE_URL": url,
        "SMS_PORT": str(port),
        "SMS_LOG_DIR": str(folder),
        "SMS_WEB_PORT": str(web_port),
        "LOOKS": str(looks),
    }
    with log.open("w") as stderr:
        web = subprocess.Popen([sys.executable, "-c", COUNTING], env=os.environ | settings, stderr=stderr)
    try:
        deadline = time.monotonic() + 30
        while "web ready" not in log.read_text():
            if web.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the web process did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield psutil.Process(web.pid), web_port, looks
    finally:
        web.terminate()
        web.wait(timeout=30)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _watch(web: psutil.Process, looks: Path, tabs: int, run: Looked, is_over: Event) -> None:
    began: tuple[float, int] | None = None
    while not is_over.wait(0.2):
        run.rss = max(run.rss, web.memory_info().rss)
        if began is None and run.opened == tabs:
            began = time.monotonic(), looks.stat().st_size
    if began:
        run.open_s, run.looks = time.monotonic() - began[0], looks.stat().st_size - began[1]


async def _look(port: int, name: str, tabs: int, run: Looked, is_over: Event) -> None:
    """Hold so many streams open until it is over."""
    paths = ("/live/", f"/live/campaigns/{name}", "/live/system")
    jobs = [asyncio.create_task(_tab(port, paths[each % 3], ("en", "zh")[each % 2], run)) for each in range(tabs)]
    await asyncio.to_thread(is_over.wait)
    for each in jobs:
        each.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)


async def _tab(port: int, path: str, language: str, run: Looked) -> None:
    """One stream, asked for until it is there: the campaign may not be yet."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Language: {language}\r\n\r\n"
            writer.write(head.encode())
            if b" 200 " in await reader.readline():
                is_first = True
                while piece := await reader.read(65_536):
                    events = piece.count(b"\n\n")
                    run.events += events
                    run.opened += is_first and events > 0
                    is_first = is_first and events == 0
        finally:
            writer.close()
        await asyncio.sleep(0.1)


def show(customers: int, tabs: int, found: Figures) -> None:
    """The table, and what it was measured on."""
    ratio = statistics.median(each.seconds / base for each, base in zip(found.looked_at, found.alone, strict=True))
    table = Table("", "nobody looks", f"{tabs} tabs")
    seconds = statistics.median(each.seconds for each in found.looked_at)
    table.add_row("seconds", f"{statistics.median(found.alone):.2f}", f"{seconds:.2f}")
    table.add_row("x nobody", "1.00", f"{ratio:.2f}")
    table.add_row("streams on which something came", "", f"{min(each.opened for each in found.looked_at)}")
    table.add_row(
        "events a second on all of them", "", f"{_median(each.events / each.seconds for each in found.looked_at):.1f}"
    )
    looks = _median(each.looks / each.open_s for each in found.looked_at if each.open_s)
    table.add_row("looks at the database a second", "", f"{looks:.1f}")
    table.add_row("web process, of one core", "", f"{_share(found):.0%}")
    table.add_row("web process, memory", "", f"{max(each.rss for each in found.looked_at) / 2**20:.0f} MiB")
    out.print(f"{customers:,} customers to logs, {len(found.alone)} rounds", table)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


def _median(figures: Iterable[float]) -> float:
    return statistics.median([*figures] or [0.0])


def _share(found: Figures) -> float:
    return _median(each.cpu_s / each.seconds for each in found.looked_at)


if __name__ == "__main__":
    typer.run(main)
