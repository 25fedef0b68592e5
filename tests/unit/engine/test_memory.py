"""engine/ipc/memory.py: memory that outlives its process, and with a folder the whole server."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import StartError
from engine.ipc.memory import Folder, anonymous, refuse_others
from engine.stats import resident_bytes

KEY = 4711


REFUSED = 28


def in_a_child(work: Callable[[], None]) -> int:
    """Run this in a process that is then gone: 0, REFUSED after an OSError, or minus the signal that killed it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except OSError:
            os._exit(REFUSED)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_anonymous_memory_is_zeros_and_what_one_process_writes_others_see() -> None:
    region = anonymous("name", 5000)
    assert bytes(region.view) == bytes(5000)

    in_a_child(lambda: region.view.__setitem__(4999, 7))

    assert region.view[4999] == 7


def test_what_is_in_a_folder_is_there_at_the_next_start(tmp_path: Path) -> None:
    def write() -> None:
        Folder(tmp_path, KEY).make("1-hand-2", 5000).view[:4] = b"hand"

    in_a_child(write)

    folder = Folder(tmp_path, KEY)
    assert folder.names() == ["1-hand-2"]
    assert bytes(folder.read("1-hand-2"))[:5] == b"hand\0"
    assert bytes(folder.make("1-hand-2", 5000).view[:4]) == b"hand"


def test_a_file_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Folder(tmp_path, KEY).make("1-hand-2", 100)
    finally:
        os.umask(before)

    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_read_is_a_copy(tmp_path: Path) -> None:
    folder = Folder(tmp_path, KEY)
    region = folder.make("1-hand-2", 100)

    folder.read("1-hand-2")[0] = 1

    assert region.view[0] == 0


def test_a_large_file_that_is_read_takes_no_memory_until_it_is_looked_at(tmp_path: Path) -> None:
    folder = Folder(tmp_path, KEY)
    folder.make("1-backlog-0", 2**29)
    before = resident_bytes(os.getpid())

    found = folder.read("1-backlog-0")

    assert (found[0], found[-1], len(found)) == (0, 0, 2**29)
    assert resident_bytes(os.getpid()) - before < 2**27


def test_names_are_in_order_and_those_of_other_files_are_not_among_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path, KEY)
    (tmp_path / "diary.txt").touch()
    for name in ("2-hand-1", "1-hand-1", "1-backlog-0"):
        folder.make(name, 10)

    assert folder.names() == ["1-backlog-0", "1-hand-1", "2-hand-1"]


def test_a_removed_one_is_gone_and_removing_it_again_does_no_harm(tmp_path: Path) -> None:
    folder = Folder(tmp_path, KEY)
    folder.make("1-hand-1", 10)

    folder.remove("1-hand-1")
    folder.remove("1-hand-1")

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("other", [1, 14711, 47110])
def test_a_folder_with_tasks_under_another_key_is_refused_and_says_which(tmp_path: Path, other: int) -> None:
    Folder(tmp_path, other).make("1-hand-1", 10)

    with pytest.raises(StartError, match=f"message_queue_key {other}:"):
        Folder(tmp_path, KEY)

    assert len(os.listdir(tmp_path)) == 1


def test_a_server_without_a_key_refuses_every_folder_with_tasks(tmp_path: Path) -> None:
    Folder(tmp_path, KEY).make("1-hand-1", 10)

    with pytest.raises(StartError, match=f"message_queue_key {KEY}:"):
        refuse_others(tmp_path, "")


# ── the disk ────────────────────────────────────────────────────────────────────────────────────


def test_on_a_full_disk_reserving_raises_where_writing_would_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    region = Folder(tmp_path, KEY).make("1-backlog-0", 5000)
    monkeypatch.setattr("os.posix_fallocate", full)

    with pytest.raises(OSError, match="No space"):
        region.reserve(0, 10)
    with pytest.raises(OSError, match="No space"):
        region.reserve(0, 10)  # a refusal is not remembered as room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    arguments = ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(tmp_path)]
    if subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_disk_that_is_really_full_raises_and_kills_nobody(small_disk: Path) -> None:
    region = Folder(small_disk, KEY).make("1-backlog-0", 8 * 2**20)

    def write() -> None:
        for start in range(0, region.size, 2**20):
            region.reserve(start, start + 2**20)
            region.view[start : start + 2**20] = b"x" * 2**20

    assert in_a_child(write) == REFUSED, "OSError, and not SIGBUS"


def test_what_is_reserved_is_on_the_disk(tmp_path: Path) -> None:
    region = Folder(tmp_path, KEY).make("1-backlog-0", 3 * 2**20)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_blocks == 0

    region.reserve(2**20 - 1, 2**20 + 1)

    assert file.stat().st_blocks * 512 == 2 * 2**20


def test_the_last_part_of_a_file_can_be_reserved(tmp_path: Path) -> None:
    region = Folder(tmp_path, KEY).make("1-backlog-0", 2**20 + 5000)

    region.reserve(2**20, 2**20 + 5000)

    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == 2**20 + 5000


def test_what_is_released_is_zeros_off_the_disk_and_can_be_reserved_again(tmp_path: Path) -> None:
    region = Folder(tmp_path, KEY).make("1-backlog-0", 3 * 2**20)
    (file,) = tmp_path.iterdir()
    region.reserve(0, region.size)
    region.view[2**20] = 7

    region.release(2**20, 2 * 2**20)

    assert file.stat().st_blocks * 512 == 2 * 2**20
    assert region.view[2**20] == 0  # in a file system in memory to look at it makes a page of it again
    region.reserve(2**20, 2**20 + 10)
    assert file.stat().st_blocks * 512 == 3 * 2**20
