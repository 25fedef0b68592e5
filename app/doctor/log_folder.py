"""Examines the folder of the message logs: whether it can be written, who can read it, whether it has room."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from app.doctor.database import Size
from app.doctor.finding import Finding, ok, problem, warning

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(folder: Path, size: Size | None) -> Iterator[Finding]:
    """`size`: what a campaign to everybody would write, where that is known."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if _is_there(each))
    if there.is_symlink() and not there.exists():
        yield problem("logs", f"{there} is a link to nowhere", "mend it, or set SMS_LOG_DIR to another place")
        return
    if not there.is_dir():
        yield problem("logs", f"{there} is no folder", "set SMS_LOG_DIR to another place")
        return
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield problem("logs", f"{there} is on a file system that is read-only", "mount it rw, or set SMS_LOG_DIR")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield problem("logs", f"{there} cannot be written", f"run: chown {os.geteuid()} {there}, or set SMS_LOG_DIR")
        return
    if there != folder.absolute():
        if cannot := _cannot_be_made(folder.absolute(), there):
            yield problem("logs", cannot, "set SMS_LOG_DIR to another place")
            return
        yield ok("logs", f"{folder} will be made")
    elif (open_to_others := _open_to_others(folder)) is not None:
        yield warning("logs", f"{open_to_others} can be read by others", f"run: chmod -R go= {folder}")
    else:
        yield ok("logs", f"{folder} can be written, and its messages are read by their owner alone")
    yield from _examine_room(there, size)


def _is_there(path: Path) -> bool:
    """Links to nowhere are, too: nothing can be made in their place."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # a name that is too long, for one
        return False


def _cannot_be_made(folder: Path, there: Path) -> str:
    """Why nobody can make the folder below what is there; '' where nothing speaks against it."""
    longest = os.pathconf(there, "PC_NAME_MAX")
    if any(len(os.fsencode(each)) > longest for each in folder.relative_to(there).parts):
        return f"a name in {folder} is longer than {longest} bytes"
    if not os.statvfs(there).f_blocks and not shutil.disk_usage(there).total:
        return f"no folder can be made in {there}, which is no file system for data"
    return ""


def _open_to_others(folder: Path) -> Path | None:
    """A campaign's folder, or the token, that others can enter or read. The log's own modes count no more then."""
    for each in folder.iterdir():
        private = each.is_dir() or each.name == ".token"
        if private and not each.is_symlink() and stat.S_IMODE(each.stat().st_mode) & OTHERS:
            return each
    return None


def _examine_room(folder: Path, size: Size | None) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if size is None:
        yield ok("room", f"{_shown(free)} are free; how much is needed is not known without the database")
        return
    needed = int(size.customers * size.message_bytes)
    found = f"{_shown(free)} are free, a campaign to {size.customers:,} customers writes some {_shown(needed)}"
    if free > needed:
        yield ok("room", found)
    else:
        yield problem("room", found, "make room, or set SMS_LOG_DIR to another disk")


def _shown(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
