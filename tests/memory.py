"""Where tests put files: in memory, where there is room. They kill processes, and no test cuts the power, so nothing
that they prove needs a disk, and to wait for one took a third of their time."""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30
"""What a run needs at most: three database servers, and what failed."""


def folder() -> str | None:
    """One for temporary files in memory; None, the usual one, where there is none or it is small, as in a container."""
    is_there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return str(MEMORY) if is_there and shutil.disk_usage(MEMORY).free >= ROOM else None
