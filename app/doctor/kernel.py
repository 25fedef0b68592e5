"""Examines the kernel's limits of System V message queues: one of them carries the server's tasks."""

from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, ok, problem, warning

PACKET_BYTES = 8192
"""The largest packet that the engine makes, and Linux's default of msgmax."""
QUEUE_BYTES = 16384
"""Linux's default of msgmnb."""


def examine(proc: Path = Path("/proc")) -> Iterator[Finding]:
    """`proc`: where the kernel shows itself. Source: proc(5), sysvipc(7)."""
    try:
        limits = {name: int((proc / "sys/kernel" / name).read_text()) for name in ("msgmax", "msgmnb", "msgmni")}
        used = len((proc / "sysvipc/msg").read_text().splitlines()) - 1
    except (OSError, ValueError) as error:
        yield warning("queues", f"the kernel tells nothing of its queues: {error}", "the server needs one: see ipcs -l")
        return
    shown = ", ".join(f"{name} {value:,}" for name, value in limits.items())
    for name, least in (("msgmax", PACKET_BYTES), ("msgmnb", QUEUE_BYTES)):
        if limits[name] < least:
            yield warning(
                "queues", f"{shown}: tasks in a queue go more slowly", f"as root: sysctl -w kernel.{name}={least}"
            )
            return
    if used >= limits["msgmni"]:
        yield problem("queues", f"{shown}, {used:,} are in use", "see ipcs -q; ipcrm -q removes one")
        return
    yield ok("queues", f"{shown}, {used:,} in use")
