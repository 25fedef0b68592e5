"""How long a campaign takes, and what memory, beside four command-line clients that write the same bytes.

    python benchmarks/campaign.py [--customers 2000000] [--rounds 3]       needs Docker; about four minutes

Each round runs the floor, then a campaign with each driver. Times are medians over the rounds, from the trigger to
the last byte. Memory is the highest sum of proportional set sizes of all our processes, sampled every 0.1 s in runs of
their own, for looking costs time.
"""

import importlib.util
import os
import statistics
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from benchmarks.product import Run, run_campaign, seed

SMALL = 200_000
"""The second size that memory is measured at."""
out = Console(width=None if sys.stdout.isatty() else 110)


def main(customers: int = 2_000_000, rounds: int = 3) -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    drivers = ["pymysql"] + (["mysqldb"] if importlib.util.find_spec("MySQLdb") else [])
    floors: list[float] = []
    runs: dict[str, list[Run]] = {driver: [] for driver in drivers}
    with mysql.throw_away() as database:
        seed(database, "large", customers)
        seed(database, "small", SMALL)
        for round_number in range(rounds):
            floors.append(database.floor("large", mysql.per_client(customers)))
            for driver in drivers:
                run = run_campaign(
                    database.url(driver, "large"), f"{driver}-{round_number}", mysql.per_client(customers)
                )
                runs[driver].append(run)
                if run.digests != database.floor_digests():
                    raise RuntimeError(f"the logs of {driver} differ from the floor's")
        memory = {
            (driver, schema): run_campaign(
                database.url(driver, schema), f"{driver}-memory", mysql.per_client(size), with_meter=True
            ).pss
            for driver in drivers
            for schema, size in (("large", customers), ("small", SMALL))
        }
    show(customers, floors, runs, memory)


def show(customers: int, floors: list[float], runs: dict[str, list[Run]], memory: dict[tuple[str, str], int]) -> None:
    """The table, and what it was measured on."""
    floor = statistics.median(floors)
    table = Table("", "seconds", "x floor", "messages/s", "trigger answered", "memory", f"memory at {SMALL:,}")
    table.add_row("floor: four mysql clients", f"{floor:.2f}", "1.00", f"{customers / floor:,.0f}", "", "", "")
    for driver, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        table.add_row(
            {"pymysql": "PyMySQL", "mysqldb": "mysqlclient"}[driver],
            f"{seconds:.2f}",
            f"{statistics.median(run.seconds / base for run, base in zip(found, floors, strict=True)):.2f}",
            f"{customers / seconds:,.0f}",
            f"{max(run.answer_s for run in found) * 1000:.0f} ms",
            f"{memory[driver, 'large'] / 2**20:.0f} MiB",
            f"{memory[driver, 'small'] / 2**20:.0f} MiB",
        )
    out.print(f"{customers:,} customers, {len(floors)} rounds; logs byte for byte those of the floor", table)
    if "mysqldb" not in runs:
        out.print("mysqlclient is not installed and was not measured: pip install -e .[fast]")
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
