"""Resolves a path to where it really leads, and refuses one that others can redirect.

Whoever may rename a directory on the way to ours, or put a link there, can put his own in its place, and we unpickle
what is in there.
"""

import os
import stat
from pathlib import Path

from engine.errors import StartError

_MOST_LINKS = 40  # as many as the kernel follows; path_resolution(7)


def real_path(path: Path) -> Path:
    """Return the same directory without a link in its path. `path` is absolute, and exists.

    Every directory on the way must belong to us or to root, and be closed to all others or sticky; a link in a sticky
    one must belong to us or to root, too. Who shares a group that may write above is trusted. Raises StartError.
    """
    here, rest, links = Path("/"), _parts(path), 0
    while True:
        is_open = _look(here)
        if not rest:
            return here
        name = rest.pop()
        if name == "..":
            here = here.parent
            continue
        status = _status(here / name)
        if not stat.S_ISLNK(status.st_mode):
            here /= name
            continue
        links += 1
        if links > _MOST_LINKS:
            raise StartError(f"too many links on the way to {path}")
        if is_open and not is_trusted(status.st_uid):
            raise StartError(f"{here / name} is a link of user {status.st_uid}, and must be ours or root's")
        target = (here / name).readlink()
        rest += _parts(target)
        if target.is_absolute():
            here = Path("/")


def is_trusted(user: int) -> bool:
    """Return whether it is us or root, who can do everything anyway."""
    return user in (0, os.geteuid())


def _parts(path: Path) -> list[str]:
    """Return the names in a path, the last one first."""
    return [part for part in reversed(path.parts) if part != "/"]


def _look(directory: Path) -> bool:
    """Return whether others may create something in it. Raises StartError when they may replace what is there, and when
    it is no directory."""
    status = _status(directory)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        raise StartError(f"{directory} must be a directory, and is not")
    if not is_trusted(status.st_uid) or (mode & 0o002 and not mode & stat.S_ISVTX):
        raise StartError(
            f"{directory} must belong to us or to root and be closed to others, "
            f"it is user {status.st_uid}'s with {mode:04o}"
        )
    return bool(mode & 0o022)


def _status(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise StartError(f"{path} cannot be looked at: {error.strerror}") from error
