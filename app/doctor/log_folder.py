"""Examines the folder of the message logs: whether it can be written, who can read it, whether it has room."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from app.doctor.database import Size
from app.doctor.finding import Finding, ok, problem, warning
from app.sentence import Sentence

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(folder: Path, size: Size | None) -> Iterator[Finding]:
    """`size`: what a campaign to everybody would write, where that is known."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if _is_there(each))
    if there.is_symlink() and not there.exists():
        yield problem("logs", Sentence("doctor.logs_link", path=there), Sentence("advice.mend_link"))
        return
    if not there.is_dir():
        yield problem("logs", Sentence("doctor.logs_no_folder", path=there), Sentence("advice.other_place"))
        return
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield problem("logs", Sentence("doctor.logs_read_only", path=there), Sentence("advice.mount"))
        return
    if not os.access(there, os.W_OK | os.X_OK):
        advice = Sentence("advice.chown", user=os.geteuid(), path=there)
        yield problem("logs", Sentence("doctor.logs_closed", path=there), advice)
        return
    if there != folder.absolute():
        if cannot := _cannot_be_made(folder.absolute(), there):
            yield problem("logs", cannot, Sentence("advice.other_place"))
            return
        yield ok("logs", Sentence("doctor.logs_new", path=folder))
    elif (open_to_others := _open_to_others(folder)) is not None:
        yield warning(
            "logs", Sentence("doctor.open", path=open_to_others), Sentence("advice.close_folder", path=folder)
        )
    else:
        yield ok("logs", Sentence("doctor.logs", path=folder))
    yield from _examine_room(there, size)


def _is_there(path: Path) -> bool:
    """Links to nowhere are, too: nothing can be made in their place."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # a name that is too long, for one
        return False


def _cannot_be_made(folder: Path, there: Path) -> Sentence | None:
    """Why nobody can make the folder below what is there; None where nothing speaks against it."""
    longest = os.pathconf(there, "PC_NAME_MAX")
    if any(len(os.fsencode(each)) > longest for each in folder.relative_to(there).parts):
        return Sentence("doctor.logs_long_name", path=folder, most=longest)
    if not os.statvfs(there).f_blocks and not shutil.disk_usage(there).total:
        return Sentence("doctor.logs_no_data", path=there)
    return None


def _open_to_others(folder: Path) -> Path | None:
    """A campaign's folder, or the token, that others can enter or read. The log's own modes count no more then."""
    for each in folder.iterdir():
        try:
            mode = each.lstat().st_mode
        except FileNotFoundError:  # removed this very moment, as by prune
            continue
        private = stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and each.name == ".token")
        if private and stat.S_IMODE(mode) & OTHERS:
            return each
    return None


def _examine_room(folder: Path, size: Size | None) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if size is None:
        yield ok("room", Sentence("doctor.room_unknown", free=_shown(free)))
        return
    needed = int(size.customers * size.message_bytes)
    found = Sentence("doctor.room", free=_shown(free), needed=_shown(needed), count=size.customers)
    if free > needed:
        yield ok("room", found)
    else:
        yield problem("room", found, Sentence("advice.make_room"))


def _shown(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
