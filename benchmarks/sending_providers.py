"""How fast messages go to each cloud provider's kind of gateway, beside what bounds it.

    python benchmarks/sending_providers.py [--customers 200000] [--rounds 3] [--kinds aliyun,tencent,twilio]

Needs Docker and the extras `aliyun`, `tencent`, `twilio`. All of it shares one machine: MySQL, examples/provider.py,
which checks each signature and logs each message, and the server. The floors: rows of the ledger alone (see
sending_floors.py), and the provider's bare SDK in a loop, in as many processes with as many requests under way. Where
a call has a hundred messages both need all cores that there are, and the time of both is what cannot be beaten there.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from benchmarks.product import Meter, free_port, seed, serving
from benchmarks.provider_floors import BATCHES, SIGNER
from benchmarks.sending_campaign import Campaign
from benchmarks.sending_floors import make_tables, together
from benchmarks.sink import Counts

BINDS = 2
WINDOWS = {"aliyun": 10, "tencent": 10, "twilio": 64}
"""Requests under way of each process; of the first two 10 are the default."""
TEXT = "尊敬的{honorific}，您的账单已出，请查收"
"""Three texts in all: that is what Tencent takes 200 of in a call."""
ACCOUNTS = {
    "aliyun": f'access_key_id = "{SIGNER}"\nsignature = "云通知"\n',
    "tencent": f'secret_id = "{SIGNER}"\napp_id = "1400006666"\nsignature = "云通知"\n',
    "twilio": f'account_sid = "{SIGNER}"\nsource = "+15550001111"\n',
}
CODES = {"aliyun": "SMS_1", "tencent": "1110"}
out = Console(width=None if sys.stdout.isatty() else 110)


@dataclass
class Provider:
    """A running one; its log says what it took."""

    port: int
    log: Path
    _read: int = 0
    _lines: int = field(default=0)

    def counts(self) -> Counts:
        with self.log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        self._lines += new.count(b"\n")
        return Counts(self._lines, 0, 0)


@contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """examples/provider.py on a free port."""
    port, log = free_port(), folder / "provider.log"
    command = [sys.executable, "-m", "examples.provider", "--log", str(log), "--port", str(port), "--account", SIGNER]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        if not process.stdout.readline().startswith("listening"):
            raise RuntimeError("the provider did not start")
        yield Provider(port, log)
    finally:
        process.terminate()
        process.wait(timeout=10)


def gateways(folder: Path, kind: str, port: int) -> Path:
    """The file of an account there."""
    template = ""
    if kind in CODES:
        template = f'[centre.templates.bill]\ncode = "{CODES[kind]}"\ntext = "{TEXT}"\n'
        template += 'parameters = { honorific = "honorific" }\n' if kind == "aliyun" else 'parameters = ["honorific"]\n'
    file = folder / "gateways.toml"
    file.write_text(
        f'[centre]\nkind = "{kind}"\nsecret_env = "PROVIDER_SECRET"\nendpoint = "http://127.0.0.1:{port}"\n'
        f"binds = {BINDS}\nwindow = {WINDOWS[kind]}\nreceipts = false\n{ACCOUNTS[kind]}{template}"
    )
    return file


def main(customers: int = 200_000, rounds: int = 3, kinds: str = "aliyun,tencent,twilio") -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.environ["PROVIDER_SECRET"] = "secret"
    os.chdir(Path(__file__).parent.parent)
    with mysql.throw_away() as database:
        seed(database, "providers", customers)
        url = database.url("pymysql", "providers")
        for kind in kinds.split(","):
            measured = customers if kind in CODES else min(customers, 10_000)
            if measured != customers:
                seed(database, kind, measured)
            _show(kind, database.url("pymysql", kind) if measured != customers else url, measured, rounds)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


def _show(kind: str, url: str, customers: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        make_tables(url)
        found = {"floor: ledger rows alone": together("ledger", BINDS, url=url, rows=customers // BINDS)}
        with TemporaryDirectory() as folder, provider(Path(folder)) as taking:
            file = gateways(Path(folder), kind, taking.port)
            found["floor: the bare SDK"] = together(
                kind, BINDS, module="benchmarks.provider_floors", file=str(file),
                calls=-(-customers // BINDS // BATCHES[kind]),
            )  # fmt: skip
        found["both floors, one after the other"] = sum(found.values())
        found["ours"], _ = _campaign(kind, url, f"{kind}-{number}", customers)
        for name, seconds in found.items():
            out.print(f"[dim]{kind}, round {number + 1}: {name}, {seconds:.2f} s")
            rates.setdefault(name, []).append(customers / seconds)
    # Not in a round: to look at the memory of all processes takes a part of a core.
    _, peak = _campaign(kind, url, f"{kind}-memory", customers, with_meter=True)
    _, sdk, both, _ = rates.values()
    table = Table("", "messages/s", "x the bare SDK", "x both floors")
    for name, each in rates.items():
        of = [statistics.median(own / base for own, base in zip(each, floor, strict=True)) for floor in (sdk, both)]
        table.add_row(name, f"{statistics.median(each):,.0f}", *(f"{ratio:.2f}" for ratio in of))
    out.print(
        f"{kind}: {customers:,} messages, {BATCHES[kind]} a call, {rounds} rounds, {BINDS} x {WINDOWS[kind]} calls "
        f"under way; memory of all processes {peak / 2**20:.0f} MiB",
        table,
    )


def _campaign(kind: str, url: str, name: str, customers: int, *, with_meter: bool = False) -> tuple[float, int]:
    """Seconds, and the peak of memory of all processes in bytes."""
    with TemporaryDirectory() as folder, provider(Path(folder)) as taking:
        settings = {
            "SMS_GATEWAYS": str(gateways(Path(folder), kind, taking.port)),
            "SMS_TASK_WORKER_NUM": str(BINDS),
        }
        with serving(url, Path(folder), -(-customers // BINDS // 2), **settings) as (server, port):
            what = {"template_name": "bill"} if kind in CODES else {"template": TEXT}
            under_test = Campaign(url, port, server, taking, what)
            meter = Meter(server)
            with meter if with_meter else nullcontext():
                seconds = under_test.send(name, with_receipts=False)
            under_test.check(customers)
    return seconds, meter.peak


if __name__ == "__main__":
    typer.run(main)
