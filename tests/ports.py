"""Ports for servers of tests."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path

_LOWEST = 10_000
_FEWEST = 5_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that nobody listens on, for a server that is about to.

    It is below those that the kernel gives to connections: of these, one that is free now may be somebody's in a
    second. Several processes run tests, each of which has ports of its own, and goes through all before it takes one
    again: who listens a while later, or never does, does not meet another test at his port.
    """
    for port in _ours(os.getpid()):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is always a next one")


@cache
def _ours(_process: int) -> Iterator[int]:
    """Those of this process, in turn, from a random one on: another run may have the same. A child that was forked
    begins elsewhere."""
    end = max(int(_RANGE.read_text().split()[0]), _LOWEST + _FEWEST)
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = range(_LOWEST + int(worker.removeprefix("gw")) % count, end, count)
    first = secrets.randbelow(len(ours))
    return cycle([*ours[first:], *ours[:first]])
