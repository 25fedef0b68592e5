"""How many files each process may have open: a connection is one."""

import os
import resource

SPARE = 64
"""What a worker opens besides its connections: files of tasks, an event loop, what the program itself needs."""


def make_room(connections: int) -> int:
    """Let this process, and those it will fork, have so many connections on top of what is open now.

    The soft limit is raised as far as the hard one allows, and never lowered. Gives how many connections fit.
    """
    held = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE + held
    # neither is ever RLIM_INFINITY: Linux allows at most fs.nr_open
    allowed = max(soft, min(wanted, hard))
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(connections, allowed - SPARE - held)
