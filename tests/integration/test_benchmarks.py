"""The benchmark of the engine still runs, and leaves nothing behind. What it measures here says nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from app.store.database import open_database
from benchmarks import compiled, plan, report
from benchmarks.duplicates import fill
from benchmarks.measuring import Found, steps
from benchmarks.processes import Unavailable
from engine import IpcMode
from tests.waiting import until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "benchmarks/engine.py", "--smoke", "--output"]


def test_the_smallest_form_fills_every_table(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"

    done = subprocess.run([*COMMAND, results], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    text = results.read_text()
    for heading in (
        "Targets",
        "What a task costs",
        "Task round trips",
        "Beside the standard library",
        "Clients",
        "Memory",
    ):
        assert f"## {heading}" in text
    assert "| 1 SOCKET | 1 | a core each | 100 B | 1 |" in text


def test_without_a_c_compiler_it_says_why_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nowhere/cc")

    with pytest.raises(Unavailable, match="no C compiler, /nowhere/cc is not there"), compiled.copy():
        pass


def test_what_is_not_there_compiled_leaves_its_cells_empty() -> None:
    form = plan.short((IpcMode.SOCKET,))
    found = Found(compiled=Unavailable("no C compiler"))
    for step in (each for each in steps(form) if each.is_compiled):
        found.take(step)
    for load in (
        ("floor", "a core each"),
        ("floor", "one core"),
        ("SOCKET", 1, "a core each"),
        ("SOCKET", 1, "one core"),
    ):
        found.figures[load] = [[[1.0, 2.0, 3.0, 4.0, 5.0]] * 5]

    rows = report.costs(form, found).rows

    assert [row[:2] for row in rows] == [("plain Python", "1"), ("plain Python", "16"), ("plain Python", "64")]
    assert {row[2:] for row in rows} == {("4.0", "5.0", "4.0", "5.0")}
    assert "Nothing of the compiled form: no C compiler." in report.how(form, found)


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    benchmark = subprocess.Popen([*COMMAND, tmp_path / "RESULTS.md"], cwd=ROOT, stderr=subprocess.DEVNULL)
    family = until(lambda: psutil.Process(benchmark.pid).children(recursive=True), what="a measurement runs")

    os.kill(benchmark.pid, signal.SIGINT)

    assert benchmark.wait(60) == 130
    until(lambda: not any(each.is_running() for each in family), what="its processes are gone")


def test_customers_for_measuring_duplicates_are_some_that_the_table_takes(sqlite_url: str) -> None:
    fill(sqlite_url, 10, 5)

    database = open_database(sqlite_url)
    with database.connect() as connection:
        rows = connection.execute(sa.text("SELECT gender, COUNT(DISTINCT mobile) FROM customers GROUP BY gender")).all()
    database.dispose()
    assert {gender for gender, _ in rows} == {0, 1, None}
    assert sum(count for _, count in rows) == 9
