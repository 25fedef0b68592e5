"""Examines the kernel's limits of System V message queues: one of them carries the server's tasks."""

from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, ok, problem, warning
from app.sentence import Sentence

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
        yield warning("queues", Sentence("doctor.queues_unknown", why=error), Sentence("advice.queues_unknown"))
        return
    shown = ", ".join(f"{name} {value:,}" for name, value in limits.items())
    for name, least in (("msgmax", PACKET_BYTES), ("msgmnb", QUEUE_BYTES)):
        if limits[name] < least:
            advice = Sentence("advice.sysctl", name=name, least=least)
            yield warning("queues", Sentence("doctor.queues_small", limits=shown), advice)
            return
    if used >= limits["msgmni"]:
        yield problem("queues", Sentence("doctor.queues", limits=shown, used=used), Sentence("advice.queues_full"))
        return
    yield ok("queues", Sentence("doctor.queues", limits=shown, used=used))
