"""The benchmark of the engine still runs, and leaves nothing behind. What it measures here says nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.waiting import until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "benchmarks/engine.py", "--smoke", "--output"]


def test_the_smallest_form_fills_every_table(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"

    done = subprocess.run([*COMMAND, results], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    text = results.read_text()
    for heading in ("Targets", "Task round trips", "Beside the standard library", "Clients", "Memory"):
        assert f"## {heading}" in text
    assert "| 1 SOCKET | 1 | a core each | 100 B | 1 |" in text


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    benchmark = subprocess.Popen([*COMMAND, tmp_path / "RESULTS.md"], cwd=ROOT, stderr=subprocess.DEVNULL)
    family = until(lambda: psutil.Process(benchmark.pid).children(recursive=True), what="a measurement runs")

    os.kill(benchmark.pid, signal.SIGINT)

    assert benchmark.wait(20) == 130
    until(lambda: not any(each.is_running() for each in family), what="its processes are gone", within_s=5)
