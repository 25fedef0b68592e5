"""A shard's log of rejects says what the table says."""

import stat

import pytest

from app.domain.reject import Reason, Reject
from app.errors import LogUnusable
from app.gateways.log_file.rejects import RejectLog, reject_log_path
from tests.words import refused

FIRST = [Reject(3, Reason.NO_NAME), Reject(4, Reason.BAD_MOBILE)]
SECOND = [Reject(9, Reason.NO_MOBILE)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    return tmp_path


def test_a_reject_is_a_line_of_id_and_reason_in_a_file_closed_to_others(folder):
    log = RejectLog(folder, "a", 2)
    log.append(FIRST)
    log.append(SECOND)
    log.sync()
    log.close()

    path = folder / "a" / "task_2.rejects.log"
    assert path.read_text() == "3 no_name\n4 bad_mobile\n9 no_mobile\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_nobody_was_rejected_there_is_no_file(folder):
    log = RejectLog(folder, "a", 0)
    log.rewrite([])
    log.append([])
    log.sync()
    log.close()

    assert list((folder / "a").iterdir()) == []


@pytest.mark.parametrize("left", ["", "3 no_name\n4 bad_", "9 duplicate\n" * 100])
def test_a_log_taken_up_holds_what_it_is_told_and_nothing_of_before(folder, left):
    reject_log_path(folder, "a", 0).write_text(left)
    log = RejectLog(folder, "a", 0)

    log.rewrite([FIRST])
    log.append(SECOND)
    log.close()

    assert reject_log_path(folder, "a", 0).read_text() == "3 no_name\n4 bad_mobile\n9 no_mobile\n"


def test_a_log_that_cannot_be_written_is_unusable(folder):
    reject_log_path(folder, "a", 0).mkdir()
    log = RejectLog(folder, "a", 0)

    with refused(LogUnusable, match=r"task_0\.rejects\.log cannot be used for logs: Is a directory"):
        log.append(FIRST)


def test_a_log_is_never_written_to_through_a_symbolic_link(folder, tmp_path):
    (tmp_path / "elsewhere").touch()
    reject_log_path(folder, "a", 0).symlink_to(tmp_path / "elsewhere")
    log = RejectLog(folder, "a", 0)

    with refused(LogUnusable, match="a symbolic link stands in its place"):
        log.append(FIRST)

    assert (tmp_path / "elsewhere").read_text() == ""

    log.close()
