"""How fast messages go over a network with a row for each in the ledger, beside the two floors that bound it.

    python benchmarks/sending.py [--customers 200000] [--rounds 3] [--rate-s 60] [--driver mysqldb]

Needs Docker and a C compiler. All of it shares one machine: MySQL, the message centre (sink.c), the server. The floors
are those of sending_floors.py, with as many senders. Each round runs both floors, a campaign without receipts, and one
whose message centre reports each message as delivered a second after it took it; that one ends when the ledger knows
it of all. What is beside ours, where it is installed, hands the same messages to the same message centre, and records
nothing.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql, sink, smpp_peers
from benchmarks.product import Meter, seed, serving
from benchmarks.sending_campaign import Campaign
from benchmarks.sending_floors import make_tables, together

BINDS = 4
WINDOW = 100
RECEIPTS_AFTER_MS = 1_000
TEXT = "尊敬的用户，您的账单已出，请查收"
"""Of the floors and of the others; one part, as ours."""
out = Console(width=None if sys.stdout.isatty() else 110)


def main(
    customers: int = 200_000,
    rounds: int = 3,
    rate_s: int = 60,
    memory_customers: int = 2_000_000,
    driver: str = "pymysql",
) -> None:
    """Print the figures. 0 for `rate_s` or `memory_customers` leaves that part out; `driver` is ours, that of the floor
    is PyMySQL."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    seconds: dict[str, list[float]] = {}
    with mysql.throw_away() as database:
        seed(database, "sending", customers)
        url = database.url(driver, "sending")
        for number in range(rounds):
            for name, run in _round(url, customers, f"r{number}"):
                out.print(f"[dim]round {number + 1}: {name}, {run:.2f} s")
                seconds.setdefault(name, []).append(run)
        show(customers, rounds, seconds)
        if rate_s:
            show_rate(url, customers, rate_s)
        if memory_customers:
            show_memory(database, driver, customers, memory_customers)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


def _round(url: str, customers: int, name: str) -> Iterator[tuple[str, float]]:
    each = customers // BINDS
    make_tables(url)
    yield "floor: ledger rows alone", together("ledger", BINDS, url=url, rows=each)
    with sink.running() as centre:
        yield (
            "floor: submits alone",
            together("submits", BINDS, port=centre.port, messages=each, window=WINDOW, text=TEXT),
        )
    yield "ours", campaign(url, f"{name}-plain", customers)
    yield "ours, with a receipt for each", campaign(url, f"{name}-receipts", customers, RECEIPTS_AFTER_MS)
    with sink.running() as centre:
        yield from smpp_peers.measure(centre, TEXT, WINDOW)


@contextmanager
def sending(url: str, customers: int, receipts_after_ms: int = -1, rate: int | None = None) -> Iterator[Campaign]:
    """A server with a gateway to a message centre of its own."""
    with TemporaryDirectory() as folder, sink.running(receipts_after_ms) as centre:
        file = Path(folder, "gateways.toml")
        file.write_text(
            f'[centre]\nkind = "smpp"\nhost = "127.0.0.1"\nport = {centre.port}\nsystem_id = "sms"\n'
            f'password_env = "CENTRE_PASSWORD"\nbinds = {BINDS}\nwindow = {WINDOW}\nsource = "10690000"\n'
            f"receipts = {str(receipts_after_ms >= 0).lower()}\n" + (f"rate = {rate}\n" if rate else "")
        )
        settings = {
            "SMS_GATEWAYS": str(file),
            "CENTRE_PASSWORD": "secret",
            "SMS_TASK_WORKER_NUM": str(BINDS),
        }
        shard_size = -(-customers // BINDS // 2)
        with serving(url, Path(folder), shard_size, **settings) as (server, port):
            yield Campaign(url, port, server, centre)


def campaign(url: str, name: str, customers: int, receipts_after_ms: int = -1) -> float:
    """Seconds from the trigger until all is known that will be."""
    with sending(url, customers, receipts_after_ms) as under_test:
        seconds = under_test.send(name, with_receipts=receipts_after_ms >= 0)
        under_test.check(customers)
    return seconds


def show(customers: int, rounds: int, seconds: dict[str, list[float]]) -> None:
    """The table of rates."""
    slower = max(
        (name for name in seconds if name.startswith("floor")), key=lambda name: statistics.median(seconds[name])
    )
    table = Table("", "seconds", "messages/s", "x the slower floor")
    for name, found in seconds.items():
        count = customers if name.startswith(("floor", "ours")) else smpp_peers.MESSAGES
        rate = count / statistics.median(found)
        ratio = statistics.median(
            (count / own) / (customers / base) for own, base in zip(found, seconds[slower], strict=True)
        )
        table.add_row(name, f"{statistics.median(found):.2f}", f"{rate:,.0f}", f"{ratio:.2f}")
    out.print(f"{customers:,} messages, {rounds} rounds, {BINDS} sessions with a window of {WINDOW}", table)


def show_rate(url: str, customers: int, rate_s: int) -> None:
    """Whether a rate is kept, and how long a pause takes to silence."""
    rate = min(500, customers // (2 * rate_s))
    with sending(url, customers, rate=rate) as under_test:
        under_test.start(f"rate-{rate}")
        time.sleep(3)
        first, began = under_test.centre.counts().submissions, time.monotonic()
        time.sleep(rate_s)
        got = (under_test.centre.counts().submissions - first) / (time.monotonic() - began)
        silence_s = under_test.pause(f"rate-{rate}")
    out.print(
        f"a rate of {rate}/s over {rate_s} s: {got:.1f}/s, {got / rate - 1:+.1%}; pause to silence {silence_s:.2f} s"
    )


def show_memory(database: mysql.Database, driver: str, small: int, large: int) -> None:
    """Peak memory of all processes of ours, at two sizes."""
    if large > small:
        seed(database, "large", large)
    for schema, customers in (("sending", small), ("large", large)):
        with sending(database.url(driver, schema), customers, RECEIPTS_AFTER_MS) as under_test:
            meter = Meter(under_test.server)
            with meter:
                seconds = under_test.send(f"memory-{customers}", with_receipts=True)
            under_test.check(customers)
        out.print(
            f"{customers:,} messages with receipts: {customers / seconds:,.0f}/s, memory of all processes "
            f"{meter.peak / 2**20:.0f} MiB, of the largest {meter.largest / 2**20:.0f} MiB"
        )


if __name__ == "__main__":
    typer.run(main)
