"""Removes logs of a campaign from the folder of all logs, file by file."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.gateways.log_file.folder import log_path, translated
from app.gateways.log_file.rejects import reject_log_path


class LogFile(NamedTuple):
    """One that is there."""

    path: Path
    size: int


def logs_of(folder: Path, campaign: str, numbers: Sequence[int]) -> list[LogFile]:
    """The logs of these shards, of messages and of rejects, as far as they are there. Raises LogUnusable."""
    found = []
    for number in numbers if (folder / campaign).is_dir() else ():
        for path in (log_path(folder, campaign, number), reject_log_path(folder, campaign, number)):
            with translated(path), contextlib.suppress(FileNotFoundError):
                found.append(LogFile(path, path.stat().st_size))
    return found


def is_empty(folder: Path, campaign: str) -> bool:
    """Whether nothing but the campaign's own folder is left."""
    with translated(folder / campaign):
        return (folder / campaign).is_dir() and not any((folder / campaign).iterdir())


def remove_logs(folder: Path, campaign: str, found: Sequence[LogFile]) -> Iterator[LogFile]:
    """Each once it is removed; with the last one the campaign's own folder, unless something else is in it. A folder
    that is a symbolic link is somebody else's: raises LogUnusable."""
    if not found:
        _remove_empty(folder / campaign)
        return
    with translated(folder / campaign):
        descriptor = os.open(folder / campaign, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for each in found:
            with translated(each.path), contextlib.suppress(FileNotFoundError):
                os.unlink(each.path.name, dir_fd=descriptor)
            if each is found[-1]:
                _remove_empty(folder / campaign)
            yield each
    finally:
        os.close(descriptor)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
