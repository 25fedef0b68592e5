"""What it costs to send each number once: campaigns that look for duplicates beside campaigns that allow them.

    python benchmarks/duplicates.py [--sizes 200000,2000000] [--rounds 3] [--shared 1000]               needs Docker

The floor is the same campaign with `allow_duplicates`. Both take turns; the ratio is the median of the rounds'. One
customer in `shared` has the number of somebody else. Rows are made by the database. Memory is looked at in runs of
their own, because looking costs time; the largest process is the one that looked for duplicates.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.store.database import open_database
from benchmarks import machine, mysql
from benchmarks.product import Run, run_campaign
from benchmarks.scale import shard_size

ROWS_AT_ONCE = 500_000
out = Console(width=None if sys.stdout.isatty() else 110)


def fill(url: str, customers: int, shared: int) -> None:
    """An empty schema becomes one with so many customers."""
    subprocess.run([sys.executable, "-m", "migrations"], env=os.environ | {"DATABASE_URL": url}, check=True)
    database = open_database(url)
    is_sqlite = database.dialect.name == "sqlite"
    insert = "INSERT INTO customers (id, name, gender, mobile)"
    name = "'客户' || id % 1000" if is_sqlite else "CONCAT('客户', id % 1000)"
    for first in range(1, customers + 1, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE - 1, customers)
        with database.begin() as connection:
            if not is_sqlite:
                connection.execute(text(f"SET SESSION cte_max_recursion_depth = {ROWS_AT_ONCE}"))
            half = "id / 2" if is_sqlite else "id DIV 2"
            number = f"CASE WHEN id % {shared} = 0 THEN {half} ELSE id END"
            connection.execute(
                text(f"""
                    {insert} WITH RECURSIVE ids (id) AS (
                        SELECT {first} UNION ALL SELECT id + 1 FROM ids WHERE id < {last}
                    )
                    SELECT id, {name}, NULLIF(id % 3, 2), 13000000000 + {number} * 2654435761 % 6999999977 FROM ids
                """)
            )
    database.dispose()


def main(sizes: str = "200000,2000000", rounds: int = 3, shared: int = 1000) -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    counts = sorted(int(size) for size in sizes.split(","))
    drivers = ["pymysql"] + (["mysqldb"] if importlib.util.find_spec("MySQLdb") else [])
    columns = ("customers", "allowed", "each once", "ratio", "first message", "memory, all", "largest process")
    table = Table("database", *columns)
    with mysql.throw_away() as database, tempfile.TemporaryDirectory() as folder:
        for count in counts:
            database.make_schema(f"customers_{count}")
            places = {driver: database.url(driver, f"customers_{count}") for driver in drivers}
            places["sqlite"] = f"sqlite:///{folder}/{count}.db"
            for place, url in places.items():
                if place != "mysqldb":  # the same rows as pymysql's
                    fill(url, count, shared)
            for place, url in places.items():
                table.add_row(place, f"{count:,}", *measure(url, place, count, rounds))
    out.print(f"{rounds} rounds, one number in {shared:,} shared", table)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


def measure(url: str, place: str, count: int, rounds: int) -> list[str]:
    """One row of the table, after its name and size."""
    runs: dict[bool, list[Run]] = {True: [], False: []}
    for round_number in range(rounds):
        for allowed in (True, False):
            name = f"{place}-{'allowed' if allowed else 'once'}-{round_number}"
            runs[allowed].append(run_campaign(url, name, shard_size(count), allow_duplicates=allowed))
    metered = run_campaign(url, f"{place}-memory", shard_size(count), with_meter=True)
    pairs = zip(runs[True], runs[False], strict=True)
    return [
        f"{statistics.median(run.seconds for run in runs[True]):.2f} s",
        f"{statistics.median(run.seconds for run in runs[False]):.2f} s",
        f"{statistics.median(once.seconds / allowed.seconds for allowed, once in pairs):.2f}",
        f"{statistics.median(run.preparing_s for run in runs[False]):.2f} s",
        f"{metered.pss / 2**20:.0f} MiB",
        f"{metered.largest_pss / 2**20:.0f} MiB",
    ]


if __name__ == "__main__":
    typer.run(main)
