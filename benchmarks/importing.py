"""How long `python -m app import` takes beside a bare LOAD DATA of the same file.

    python benchmarks/importing.py [--people 2000000] [--rounds 3]                                      needs Docker

The floor is one LOAD DATA LOCAL by PyMySQL into a table with the same columns, keys and rules: the server takes the
file apart, and nobody looks at a line. Both take turns; the ratio is the median of the rounds'. What a process costs to
begin is in the import's time, as somebody has it who types the command. `of them ours` is the processor time of the
command itself, without the server's.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pymysql
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine, mysql

NAMES = ("张伟", "欧阳娜娜", "李娜", "王芳", "阿卜杜拉", "Li Na")
GENDERS = ("男", "女", "")
TABLE = (
    "CREATE TABLE bare (id INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL,"
    " gender SMALLINT NULL CHECK (gender IN (0, 1)), mobile VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL,"
    " city VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
)
LOAD = (
    "LOAD DATA LOCAL INFILE '{path}' INTO TABLE bare CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' IGNORE 1 LINES"
    " (id, name, @gender, mobile, city) SET gender = CASE @gender WHEN '男' THEN 1 WHEN '女' THEN 0 END"
)
out = Console(width=None if sys.stdout.isatty() else 110)


def write(path: Path, people: int) -> None:
    """A file as a spreadsheet saves it."""
    with path.open("w", encoding="utf-8") as file:
        file.write("编号,姓名,性别,手机号,city\n")
        for number in range(1, people + 1):
            mobile = 13_000_000_000 + number * 2_654_435_761 % 6_999_999_977
            file.write(f"{number},{NAMES[number % 6]},{GENDERS[number % 3]},{mobile},上海\n")


def floor(url: str, path: Path) -> float:
    """Seconds of the bare LOAD DATA."""
    address = make_url(url)
    connection = pymysql.connect(
        host=address.host,
        port=address.port or 3306,
        user=address.username,
        password=address.password or "",
        database=address.database,
        charset="utf8mb4",
        local_infile=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare")
        cursor.execute(TABLE)
        began = time.monotonic()
        cursor.execute(LOAD.format(path=path))
        connection.commit()
        return time.monotonic() - began


def imported(url: str, path: Path) -> tuple[float, float]:
    """Seconds of the command, and of its own processor time."""
    command = [sys.executable, "-m", "app", "import", str(path), "--into", "people", "--replace"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=True, capture_output=True)
    took_s = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(people: int = 2_000_000, rounds: int = 3) -> None:
    """Print the figures."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.chdir(Path(__file__).parent.parent)
    with mysql.throw_away() as database, tempfile.TemporaryDirectory() as folder:
        url, path = database.url("pymysql", "sms"), Path(folder, "people.csv")
        write(path, people)
        subprocess.run([sys.executable, "-m", "migrations"], env=os.environ | {"DATABASE_URL": url}, check=True)
        pairs = [(floor(url, path), *imported(url, path)) for _ in range(rounds)]
        megabytes = path.stat().st_size / 1e6
    table = Table("people", "file", "bare LOAD DATA", "import", "of them ours", "ratio")
    table.add_row(
        f"{people:,}",
        f"{megabytes:.0f} MB",
        f"{statistics.median(bare for bare, _, _ in pairs):.1f} s",
        f"{statistics.median(took for _, took, _ in pairs):.1f} s",
        f"{statistics.median(ours for _, _, ours in pairs):.1f} s",
        f"{statistics.median(took / bare for bare, took, _ in pairs):.2f}",
    )
    out.print(f"{rounds} rounds", table)
    out.print(f"{machine.describe()}, MySQL in {mysql.IMAGE}\n{machine.command()}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
