"""engine/ipc/spill.py: files that only we can read, in a directory that only we can write."""

import copy
import os
import stat
import tempfile
from pathlib import Path

import pytest

from engine import StartError
from engine.ipc.spill import SpillDirectory, claim, default_path

SOMEBODY_ELSE = 12_345  # a user id, not ours

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")


def take(path: Path) -> None:
    """Claim a directory and let it go."""
    with claim(path):
        pass


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def directory(tmp_path: Path) -> SpillDirectory:
    return SpillDirectory(tmp_path)


# ── files ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [b"", b"x", os.urandom(3_000_000)], ids=["empty", "small", "large"])
def test_a_body_comes_back_as_it_was(directory: SpillDirectory, body: bytes) -> None:
    assert directory.read(directory.write(body)) == body


def test_a_file_is_readable_by_its_owner_alone_whatever_the_umask(directory: SpillDirectory) -> None:
    before = os.umask(0)
    try:
        name = directory.write(b"secret")
    finally:
        os.umask(before)

    assert mode(directory.path / name.decode()) == 0o600


def test_every_body_has_its_own_file(directory: SpillDirectory) -> None:
    names = {directory.write(b"same") for _ in range(5)}

    assert len(names) == directory.count() == 5


def test_a_removed_file_is_gone_and_removing_it_again_does_no_harm(directory: SpillDirectory) -> None:
    name = directory.write(b"x")

    directory.remove(name)
    directory.remove(name)

    assert directory.count() == 0


def test_a_body_that_does_not_fit_leaves_no_file(directory: SpillDirectory) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            directory.write(b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert os.listdir(directory.path) == []


def test_a_sweep_takes_the_files_of_a_former_life_and_nothing_else(directory: SpillDirectory) -> None:
    directory.write(b"x")
    directory.write(b"y")
    (directory.path / "diary.txt").write_text("not ours")
    (directory.path / "photos").mkdir()

    directory.sweep()

    assert sorted(os.listdir(directory.path)) == ["diary.txt", "photos"]


def test_a_sweep_leaves_the_files_that_are_named(directory: SpillDirectory) -> None:
    kept, swept = directory.write(b"kept"), directory.write(b"swept")

    directory.sweep({kept.decode()})

    assert os.listdir(directory.path) == [kept.decode()]
    assert directory.size(kept) == 4
    assert directory.size(swept) == 0


def test_a_file_of_a_former_life_is_not_in_the_way_of_a_process_with_the_same_pid(tmp_path: Path) -> None:
    """In a container pids are the same at every start, and a task may wait through several of them."""
    waiting = SpillDirectory(tmp_path).write(b"waits")
    now = SpillDirectory(tmp_path)

    new = now.write(b"new")
    now.discard(now.maker, 0)

    assert now.read(waiting) == b"waits"
    assert now.size(new) == 0


def test_what_a_dead_process_told_nobody_of_is_discarded_and_nothing_else(directory: SpillDirectory) -> None:
    told, untold = directory.write(b"told"), directory.write(b"untold")

    directory.discard(directory.maker + 1, 0)
    directory.discard(directory.maker, 1)

    assert directory.read(told) == b"told"
    assert directory.size(untold) == 0


def test_a_pid_that_comes_again_in_one_life_of_a_server_is_another_process(tmp_path: Path) -> None:
    """A file of the former one may wait for long, and the two have nothing else in common."""
    directory = SpillDirectory(tmp_path)

    def write() -> bytes:
        """As a child does that was forked when nothing was written yet; each with the pid of this process."""
        child = copy.copy(directory)
        return child.write(b"body")

    names = [write(), write()]

    assert len(set(names)) == 2
    assert [directory.read(name) for name in names] == [b"body"] * 2


def test_a_child_does_not_go_on_with_the_names_of_its_parent(directory: SpillDirectory) -> None:
    directory.write(b"parent")
    pid = os.fork()
    if pid == 0:
        directory.write(b"child")
        os._exit(0 if directory.made == 1 else 1)

    assert os.waitpid(pid, 0)[1] == 0
    directory.discard(directory.maker, 0)
    (left,) = os.listdir(directory.path)
    assert directory.read(left.encode()) == b"child"


# ── the claim ───────────────────────────────────────────────────────────────────────────────────


def test_a_claim_makes_the_directory_and_its_parent_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "above" / "tasks"
    before = os.umask(0)
    try:
        with claim(path):
            assert (mode(path), mode(path.parent)) == (0o700, 0o700)
    finally:
        os.umask(before)


def test_a_directory_that_is_there_and_ours_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "tasks"
    path.mkdir(mode=0o700)

    with claim(path) as ours:
        assert ours.path == path


@pytest.mark.parametrize("open_to", [0o755, 0o770, 0o707, 0o777, 0o710, 0o701])
def test_a_directory_open_to_others_is_refused_with_its_mode(tmp_path: Path, open_to: int) -> None:
    path = tmp_path / "tasks"
    path.mkdir()
    path.chmod(open_to)

    with pytest.raises(StartError, match=f"{path} must belong to us with mode 0700, .*{open_to:04o}"):
        take(path)


@as_root
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks"
    path.mkdir(mode=0o700)
    os.chown(path, SOMEBODY_ELSE, -1)

    with pytest.raises(StartError, match="must belong to us"):
        take(path)


@as_root
def test_a_directory_below_one_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner could put another in place of ours, and we unpickle what is in there."""
    above = tmp_path / "engine-0"
    above.mkdir(mode=0o755)
    os.chown(above, SOMEBODY_ELSE, -1)

    with pytest.raises(StartError, match=str(above)):
        take(above / "tasks")


def test_a_directory_below_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "engine-0"
    above.mkdir()
    above.chmod(0o777)

    with pytest.raises(StartError, match=str(above)):
        take(above / "tasks")


def test_a_directory_below_a_sticky_one_such_as_tmp_is_taken(tmp_path: Path) -> None:
    above = tmp_path / "tmp"
    above.mkdir()
    above.chmod(0o1777)

    take(above / "tasks")


def test_a_parent_may_be_reached_by_a_link_such_as_var_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "var-run").symlink_to(tmp_path / "run")

    take(tmp_path / "var-run" / "tasks")


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "tasks").symlink_to(tmp_path / "real")

    with pytest.raises(StartError, match="must be a directory"):
        take(tmp_path / "tasks")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks").touch()

    with pytest.raises(StartError, match="must be a directory"):
        take(tmp_path / "tasks")


def test_a_directory_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        take(tmp_path / "not" / "there" / "tasks")


def test_a_directory_in_use_by_another_server_is_refused(tmp_path: Path) -> None:
    with claim(tmp_path / "tasks"), pytest.raises(StartError, match="in use by another running server"):
        take(tmp_path / "tasks")

    take(tmp_path / "tasks")


def test_a_directory_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no start"), claim(tmp_path / "tasks"):
        raise RuntimeError("no start")

    take(tmp_path / "tasks")


def test_a_directory_that_is_let_go_is_gone_with_its_files_when_nothing_in_it_is_needed(tmp_path: Path) -> None:
    with claim(tmp_path / "tasks") as ours:
        SpillDirectory(ours.path).write(b"x")
        ours.is_to_be_emptied = True

    assert os.listdir(tmp_path) == []


def test_an_empty_directory_that_is_let_go_is_gone(tmp_path: Path) -> None:
    take(tmp_path / "tasks")

    assert os.listdir(tmp_path) == []


def test_files_that_are_needed_stay_when_a_directory_is_let_go(tmp_path: Path) -> None:
    with claim(tmp_path / "tasks") as ours:
        spill = SpillDirectory(ours.path)
        name = spill.write(b"needed at the next start")

    assert spill.read(name) == b"needed at the next start"


def test_a_directory_with_files_that_are_not_ours_stays(tmp_path: Path) -> None:
    with claim(tmp_path / "tasks") as ours:
        (ours.path / "diary.txt").write_text("not ours")
        ours.is_to_be_emptied = True

    assert (tmp_path / "tasks" / "diary.txt").read_text() == "not ours"


def test_the_default_path_is_the_same_for_one_name_and_another_for_each() -> None:
    names = ["127.0.0.1-9501", "127.0.0.1-9502", "::1-9501", "../../etc-9501", "queue-9501"]
    paths = [default_path(name) for name in names]

    assert paths == [default_path(name) for name in names]
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {Path(tempfile.gettempdir(), f"engine-{os.getuid()}")}
