"""A shard's log: one writer, an exact length, closed to others."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from app.errors import FolderInUse, LogDamaged, LogUnusable, ShardTaken
from app.gateways.log_file import folder as log_folder
from app.gateways.log_file.folder import log_path, make_folder, reserve_folder
from app.gateways.log_file.journal import LogFile
from tests.words import refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def fails(number: int) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def opened(folder: Path) -> list[Path]:
    """Files and folders in it for which this process has a descriptor; others come and go beside a test."""
    found = []
    for each in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(Path("/proc/self/fd", each).readlink())
    return sorted(each for each in found if each.is_relative_to(folder))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_messages_stand_in_the_log_in_the_order_of_their_delivery(folder):
    log = LogFile(folder, "春节", 3)
    log.return_to(0)

    positions = [log.deliver("张伟\n"), log.deliver("𠮷田😀\n")]
    log.close()

    assert (folder / "春节" / "task_3.log").read_bytes() == "张伟\n𠮷田😀\n".encode()
    assert positions == [7, 19]


def test_one_process_at_a_time_has_a_log(folder):
    first = LogFile(folder, "a", 0)

    with refused(ShardTaken, match=r"task_0\.log"):
        LogFile(folder, "a", 0)

    first.close()
    LogFile(folder, "a", 0).close()


def test_a_refused_log_leaves_no_descriptor_open(folder):
    first = LogFile(folder, "a", 0)
    before = opened(folder)

    with pytest.raises(ShardTaken):
        LogFile(folder, "a", 0)

    assert before
    assert opened(folder) == before
    first.close()


def test_other_shards_and_campaigns_have_logs_of_their_own(folder):
    logs = [LogFile(folder, "a", 0), LogFile(folder, "a", 1), LogFile(folder, "b", 0)]

    for log in logs:
        log.close()
    assert len(list(folder.glob("*/task_*.log"))) == 3


def test_what_was_written_after_the_position_is_cut_off(folder):
    log = LogFile(folder, "a", 0)
    log.deliver("recorded\nhalf a pa")

    log.return_to(9)
    position = log.deliver("next\n")
    log.close()

    assert log_path(folder, "a", 0).read_bytes() == b"recorded\nnext\n"
    assert position == 14


def test_a_log_is_continued_after_it_was_closed(folder):
    first = LogFile(folder, "a", 0)
    first.deliver("one\n")
    first.close()

    second = LogFile(folder, "a", 0)
    second.return_to(4)
    second.deliver("two\n")
    second.close()

    assert log_path(folder, "a", 0).read_bytes() == b"one\ntwo\n"


def test_a_log_shorter_than_recorded_is_damaged_and_stays_as_it_is(folder):
    log = LogFile(folder, "a", 0)
    log.deliver("one\n")

    with refused(LogDamaged, match=r"task_0\.log has 4 bytes where 5 were written"):
        log.return_to(5)

    log.close()
    assert log_path(folder, "a", 0).read_bytes() == b"one\n"


def test_a_log_that_cannot_be_opened_is_unusable(folder):
    log_path(folder, "a", 0).mkdir(parents=True)

    with refused(LogUnusable, match=r"a/task_0\.log cannot be used for logs: Is a directory"):
        LogFile(folder, "a", 0)


def test_a_campaign_whose_folder_is_a_file_has_no_usable_log(folder):
    make_folder(folder)
    (folder / "a").touch()

    with refused(LogUnusable, match="a cannot be used for logs: File exists"):
        LogFile(folder, "a", 0)


@pytest.mark.parametrize("name", ["a/task_0.log", "a"])
def test_a_log_is_never_opened_through_a_symbolic_link(folder, tmp_path, name):
    elsewhere = tmp_path / "elsewhere" / "a"
    LogFile(tmp_path / "elsewhere", "a", 0).close()
    (elsewhere / "task_0.log").write_text("somebody else's\n")
    make_folder(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere" / name)

    with refused(LogUnusable, match=r"a/task_0\.log cannot be used for logs: a symbolic link stands in its place"):
        LogFile(folder, "a", 0)

    assert (elsewhere / "task_0.log").read_text() == "somebody else's\n"


def test_a_full_disk_makes_a_log_unusable(folder, monkeypatch):
    log = LogFile(folder, "a", 0)
    monkeypatch.setattr(os, "write", fails(errno.ENOSPC))

    with refused(LogUnusable, match=r"task_0\.log cannot be used for logs: No space left on device"):
        log.deliver("one\n")

    log.close()


def test_a_log_that_cannot_be_cut_back_is_unusable(folder, monkeypatch):
    log = LogFile(folder, "a", 0)
    monkeypatch.setattr(os, "ftruncate", fails(errno.EINVAL))

    with refused(LogUnusable, match=r"task_0\.log cannot be used for logs"):
        log.return_to(0)

    log.close()


def test_a_log_that_became_unusable_while_it_was_opened_is_let_go(folder, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(os, "fsync", fails(errno.EIO))
        with refused(LogUnusable, match="Input/output error"):
            LogFile(folder, "a", 0)

    LogFile(folder, "a", 0).close()


def test_the_folder_is_free_for_the_next_server_once_ours_has_ended_however_it_ended(folder, monkeypatch):
    monkeypatch.setattr(log_folder, "FORMER_SERVER_GONE_S", 0.0)

    with reserve_folder(folder), pytest.raises(FolderInUse), reserve_folder(folder):
        pass
    with pytest.raises(KeyboardInterrupt), reserve_folder(folder):
        raise KeyboardInterrupt
    with reserve_folder(folder):
        pass


def test_nobody_else_can_read_the_logs_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        LogFile(folder, "a", 0).close()
    finally:
        os.umask(before)

    assert mode(folder) == mode(folder / "a") == 0o700
    assert mode(folder / "a" / "task_0.log") == mode(folder / ".owner") == 0o600


def test_a_folder_keeps_its_owners_name(folder, tmp_path):
    first, again, other = make_folder(folder), make_folder(folder), make_folder(tmp_path / "others")

    assert first == again == LogFile(folder, "a", 0).owner
    assert other != first


def test_a_copied_folder_is_another_owner(folder, tmp_path):
    owner = make_folder(folder)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / ".owner").write_bytes((folder / ".owner").read_bytes())

    assert make_folder(copy) != owner


def test_making_the_folder_leaves_nothing_else_in_it(folder):
    make_folder(folder)

    assert [each.name for each in folder.iterdir()] == [".owner"]
