"""Ports for servers of tests."""

import secrets
import socket
from contextlib import suppress
from pathlib import Path

_LOWEST = 10_000
_FEWEST = 5_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that nobody listens on, for a server that is about to.

    It is below those that the kernel gives to connections: of these, one that is free now may be somebody's in a
    second. It is a random one: several processes run tests, and look for ports at the same time.
    """
    end = max(int(_RANGE.read_text().split()[0]), _LOWEST + _FEWEST)
    while True:
        port = _LOWEST + secrets.randbelow(end - _LOWEST)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
