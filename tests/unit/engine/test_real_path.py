"""engine/ipc/real_path.py: on the way to our directory nobody else can put anything in place of what is there."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import StartError
from engine.ipc.real_path import real_path
from engine.ipc.spill import SpillDirectory, claim

SOMEBODY_ELSE, A_THIRD = 12_345, 12_346  # user ids, not ours

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def sticky(place: Path) -> Path:
    """As /tmp is."""
    path = place / "tmp"
    path.mkdir()
    path.chmod(0o1777)
    return path


def by(user: int, work: Callable[[], object]) -> bool:
    """Whether it can be done by this user."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(user)
            os.setuid(user)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def test_a_path_without_links_is_its_own(tmp_path: Path) -> None:
    assert real_path(tmp_path) == tmp_path


@pytest.mark.parametrize("target", ["real", "./real", "real/../real", "{}/real"])
def test_our_own_links_are_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(target.format(tmp_path))
    (tmp_path / "chain").symlink_to("link")

    assert real_path(tmp_path / "chain" / "below") == tmp_path / "real" / "below"


def test_links_that_go_round_in_circles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(StartError, match="too many links"):
        real_path(tmp_path / "a")


def test_a_file_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match="must be a directory"):
        real_path(tmp_path / "file" / "below")


def test_a_directory_that_is_not_there_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        real_path(tmp_path / "not there")


@pytest.mark.parametrize("depth", ["open", "open/below", "open/below/below"])
def test_what_lies_below_a_directory_that_everybody_may_write_is_refused(tmp_path: Path, depth: str) -> None:
    (tmp_path / "open" / "below" / "below").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(StartError, match=f"{tmp_path}/open must belong to us or to root and be closed to others"):
        real_path(tmp_path / depth)


@as_root
def test_what_lies_below_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "his" / "ours").mkdir(parents=True)
    os.chown(tmp_path / "his", SOMEBODY_ELSE, -1)

    with pytest.raises(StartError, match=f"user {SOMEBODY_ELSE}'s"):
        real_path(tmp_path / "his" / "ours")


@as_root
def test_a_link_of_somebody_else_in_a_sticky_directory_is_refused(sticky: Path, tmp_path: Path) -> None:
    assert by(SOMEBODY_ELSE, lambda: (sticky / "link").symlink_to(tmp_path))

    with pytest.raises(StartError, match=re.escape(f"{sticky}/link is a link of user {SOMEBODY_ELSE}")):
        real_path(sticky / "link")


@as_root
def test_so_is_one_that_a_link_of_ours_leads_through(sticky: Path, tmp_path: Path) -> None:
    assert by(SOMEBODY_ELSE, lambda: (sticky / "link").symlink_to(tmp_path))
    (tmp_path / "ours").symlink_to(sticky / "link")

    with pytest.raises(StartError, match="is a link of user"):
        real_path(tmp_path / "ours")


@as_root
def test_a_plain_user_may_go_by_links_of_root_and_his_own(sticky: Path, place: Path) -> None:
    (place / "run").mkdir(mode=0o755)
    (place / "run" / "app").mkdir()
    os.chown(place / "run" / "app", SOMEBODY_ELSE, SOMEBODY_ELSE)
    (place / "var-run").symlink_to("run")
    (sticky / "of-root").symlink_to(place / "var-run")

    def start() -> None:
        (sticky / "own").symlink_to(sticky / "of-root" / "app")
        with claim(sticky / "own" / "tasks") as ours:
            assert ours.path == place / "run" / "app" / "tasks"
        with claim(sticky / "engine" / "tasks"):
            pass

    assert by(SOMEBODY_ELSE, start)


@as_root
def test_a_plain_user_is_not_led_by_a_link_of_another_one(sticky: Path, place: Path) -> None:
    (place / "own").mkdir()
    os.chown(place / "own", SOMEBODY_ELSE, SOMEBODY_ELSE)
    assert by(A_THIRD, lambda: (sticky / "engine").symlink_to(place / "own"))

    def start() -> None:
        with pytest.raises(StartError, match=f"is a link of user {A_THIRD}"), claim(sticky / "engine" / "tasks"):
            pass

    assert by(SOMEBODY_ELSE, start)


def test_a_link_that_changes_once_the_directory_is_ours_changes_nothing(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "tasks").mkdir(parents=True, mode=0o700)
    (tmp_path / "link").symlink_to("one")

    with claim(tmp_path / "link" / "tasks") as ours:
        spill = SpillDirectory(ours.path)
        name = spill.write(b"ours")
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("other")
        (tmp_path / "other" / "tasks" / name.decode()).write_bytes(b"another's")

        assert spill.read(name) == b"ours"
