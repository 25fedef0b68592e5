"""A message centre that costs next to nothing (sink.c), compiled and run for a measurement."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.product import free_port

SOURCE = Path(__file__).with_name("sink.c")


class Counts(NamedTuple):
    """What it saw since its start."""

    submissions: int
    receipts: int
    """Told more than once where a link was lost before it acknowledged one."""
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A running one."""

    port: int
    process: "subprocess.Popen[str]"

    def counts(self) -> Counts:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Counts(*map(int, self.process.stdout.readline().split()))


@contextmanager
def running(receipts_after_ms: int = -1) -> Iterator[Sink]:
    """On a free port; without receipts by default."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        sys.exit("a C compiler is needed for the message centre: apt-get install gcc libc6-dev")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "sink")
        subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)
        process = subprocess.Popen(
            [str(program), str(port), str(receipts_after_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        try:
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the message centre did not start")
            yield Sink(port, process)
        finally:
            process.stdin.close()
            process.wait(timeout=10)
