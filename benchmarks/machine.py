"""What a figure was measured on: a figure without it says little."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe() -> str:
    """Processor, memory, kernel, interpreter and libraries, in one line."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory_kib = int(next(line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")))
    libraries = ", ".join(f"{name} {_version(name)}" for name in ("SQLAlchemy", "PyMySQL", "mysqlclient", "uvloop"))
    return (
        f"{len(os.sched_getaffinity(0))} cores of {cpu}, {memory_kib / 2**20:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def command() -> str:
    """The command line that was run, from the project's folder."""
    return " ".join(["python", *sys.argv])


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
