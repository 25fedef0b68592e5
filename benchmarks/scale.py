"""Whether a campaign of ten or a hundred times as many customers costs the same for each, in time and in memory.

    python benchmarks/scale.py [--sizes 200000,2000000,20000000] [--rounds 3] [--driver pymysql]        needs Docker

Beside each the floor of campaign.py at that size, for a customer does not cost MySQL the same either.
Seeding twenty million takes minutes. Sizes take turns in each round, so that a busy moment of the machine meets all.
Every server has sent a campaign before, for its first one pays once for connections and compiled statements, some 0.1 s
that are no part of what a customer costs. A small campaign is short, and is repeated, at most ten times a round. Memory
is that of fresh servers.
"""

import os
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql
from benchmarks.product import run_campaign, seed, send_campaign, serving

SHARD_SIZE = 500_000
SHARD_SIZE_SMALL = 50_000
"""For few customers: otherwise one task worker would work alone."""
MOST_REPEATS = 10
out = Console(width=None if sys.stdout.isatty() else 110)


def shard_size(customers: int) -> int:
    return SHARD_SIZE if customers >= 4 * SHARD_SIZE else SHARD_SIZE_SMALL


def main(sizes: str = "200000,2000000,20000000", rounds: int = 3, driver: str = "pymysql") -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    counts = sorted(int(size) for size in sizes.split(","))
    micros: dict[int, list[float]] = {count: [] for count in counts}
    floors: dict[int, list[float]] = {count: [] for count in counts}
    peaks: dict[int, int] = dict.fromkeys(counts, 0)
    with mysql.throw_away() as database:
        for count in counts:
            seed(database, f"customers_{count}", count)
        for round_number in range(rounds):
            for count in counts:
                url = database.url(driver, f"customers_{count}")
                repeats = min(MOST_REPEATS, max(1, counts[-1] // count // 10))
                for _ in range(repeats):
                    seconds = database.floor(f"customers_{count}", mysql.per_client(count))
                    floors[count].append(seconds / count * 1e6)
                with TemporaryDirectory() as folder, serving(url, Path(folder), shard_size(count)) as (_, port):
                    send_campaign(port, f"first-{round_number}")
                    for repeat in range(repeats):
                        sent = send_campaign(port, f"time-{round_number}-{repeat}")
                        micros[count].append(sent.seconds / count * 1e6)
        for count in counts:
            url = database.url(driver, f"customers_{count}")
            peaks[count] = run_campaign(url, "memory", shard_size(count), with_meter=True).pss
    base = statistics.median(micros[counts[len(counts) // 2]])
    table = Table(
        "customers", "µs a customer", f"x {counts[len(counts) // 2]:,}", "the floor's", "seconds", "memory, all"
    )
    for count in counts:
        each = statistics.median(micros[count])
        table.add_row(
            f"{count:,}",
            f"{each:.2f}",
            f"{each / base:.2f}",
            f"{statistics.median(floors[count]):.2f}",
            f"{each * count / 1e6:.2f}",
            f"{peaks[count] / 2**20:.0f} MiB",
        )
    out.print(f"{rounds} rounds, {driver}", table)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
