"""What the system allows: open files, of which a connection is one and an end of an inbox another; CPU time."""

import os
import resource
from pathlib import Path

from engine.errors import StartError
from engine.log_lines import get_logger

log = get_logger(__name__)

SPARE = 64
"""What a worker opens besides its connections: files of tasks, an event loop, what the program itself needs."""


def make_room(shared: int, connections: int, children: int) -> int:
    """Let this process, and those it will fork, open so many files in addition to what is open now.

    `shared`: what every process has, `connections`: what an event worker has besides, `children`: what the manager has,
    one for each that is starting. The soft limit is raised as far as the hard one allows, and never lowered. Gives how
    many connections fit, and says so in the log where those are not all. Raises StartError, which tells the number,
    when the hard limit forbids to start at all.
    """
    held = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    always = held + SPARE + shared
    # neither is ever RLIM_INFINITY: Linux allows at most fs.nr_open
    if (needed := always + max(1, children)) > max(soft, hard):
        raise StartError(
            f"this many workers need {needed} open files in each process, and the hard limit (ulimit -Hn) is {hard}"
        )
    allowed = max(soft, min(always + max(connections, children), hard))
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if (room := min(connections, allowed - always)) < connections:
        log.warning(
            "max_conn is above what the limit of open files (ulimit -Hn) allows each event worker",
            extra={"max_conn": connections, "connections": room},
        )
    return room


def have_a_core_each(
    processes: int, root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> bool:
    """Whether a quota of CPU time lets so many processes compute at once; True where there is none, or none is known.

    Looks at the control group of this process, and at the outermost one, which in a container is the container's.
    Source: cgroups(7), Documentation/admin-guide/cgroup-v2.rst, cpu.max.
    """
    groups = [root]
    if own.exists():
        groups += [root / line[3:].strip("/") for line in own.read_text().splitlines() if line.startswith("0::")]
    limits = [(each / "cpu.max").read_text().split() for each in groups if (each / "cpu.max").exists()]
    return all(quota == "max" or int(quota) >= processes * int(period) for quota, period in limits)
