"""engine/ipc/spill.py: files that only we can read, in a directory that only we can write."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from engine import StartError
from engine.ipc.spill import Claim, SpillDirectory, default_path

SOMEBODY_ELSE = 12_345  # a user id, not ours

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")


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


# ── the claim ───────────────────────────────────────────────────────────────────────────────────


def test_a_claim_makes_the_directory_and_its_parent_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "above" / "tasks"
    before = os.umask(0)
    try:
        claim = Claim(path)
    finally:
        os.umask(before)

    assert (mode(path), mode(path.parent)) == (0o700, 0o700)
    claim.release()


def test_a_directory_that_is_there_and_ours_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "tasks"
    path.mkdir(mode=0o700)

    Claim(path).release()


@pytest.mark.parametrize("open_to", [0o755, 0o770, 0o707, 0o777, 0o710, 0o701])
def test_a_directory_open_to_others_is_refused_with_its_mode(tmp_path: Path, open_to: int) -> None:
    path = tmp_path / "tasks"
    path.mkdir()
    path.chmod(open_to)

    with pytest.raises(StartError, match=f"{path} must belong to us with mode 0700, .*{open_to:04o}"):
        Claim(path)


@as_root
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks"
    path.mkdir(mode=0o700)
    os.chown(path, SOMEBODY_ELSE, -1)

    with pytest.raises(StartError, match="must belong to us"):
        Claim(path)


@as_root
def test_a_directory_below_one_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner could put another in place of ours, and we unpickle what is in there."""
    above = tmp_path / "engine-0"
    above.mkdir(mode=0o755)
    os.chown(above, SOMEBODY_ELSE, -1)

    with pytest.raises(StartError, match=str(above)):
        Claim(above / "tasks")


def test_a_directory_below_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "engine-0"
    above.mkdir()
    above.chmod(0o777)

    with pytest.raises(StartError, match=str(above)):
        Claim(above / "tasks")


def test_a_directory_below_a_sticky_one_such_as_tmp_is_taken(tmp_path: Path) -> None:
    above = tmp_path / "tmp"
    above.mkdir()
    above.chmod(0o1777)

    Claim(above / "tasks").release()


def test_a_parent_may_be_reached_by_a_link_such_as_var_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "var-run").symlink_to(tmp_path / "run")

    Claim(tmp_path / "var-run" / "tasks").release()


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "tasks").symlink_to(tmp_path / "real")

    with pytest.raises(StartError, match="must be a directory"):
        Claim(tmp_path / "tasks")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks").touch()

    with pytest.raises(StartError, match="must be a directory"):
        Claim(tmp_path / "tasks")


def test_a_directory_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        Claim(tmp_path / "not" / "there" / "tasks")


def test_a_directory_in_use_by_another_server_is_refused(tmp_path: Path) -> None:
    first = Claim(tmp_path / "tasks")

    with pytest.raises(StartError, match="in use by another running server"):
        Claim(tmp_path / "tasks")

    first.release()
    Claim(tmp_path / "tasks").release()


def test_a_released_directory_is_gone_with_its_files(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "tasks")
    SpillDirectory(claim.path).write(b"x")

    claim.release()

    assert os.listdir(tmp_path) == []


def test_a_directory_with_files_that_are_not_ours_stays(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "tasks")
    (claim.path / "diary.txt").write_text("not ours")

    claim.release()

    assert (claim.path / "diary.txt").read_text() == "not ours"


def test_the_default_path_is_the_same_for_one_address_and_another_for_each() -> None:
    addresses = [("127.0.0.1", 9501), ("127.0.0.1", 9502), ("::1", 9501), ("../../etc", 9501)]
    paths = [default_path(host, port) for host, port in addresses]

    assert paths == [default_path(host, port) for host, port in addresses]
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {Path(tempfile.gettempdir(), f"engine-{os.getuid()}")}
