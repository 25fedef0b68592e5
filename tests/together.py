"""How several processes share the tests (`make test`): who gets which, what they share, and who runs alone."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests import memory
from tests.company import Company
from tests.keeper import ROOT, wait_until_gone

TIERS = ("acceptance", "model", "integration/app", "integration", "house", "unit")
"""In this order they are given out: the small ones come last, so that all processes end at about the same time."""
FOLDER = pytest.StashKey[Path]()
COMPANY = pytest.StashKey[Company]()

# The tests start some two thousand processes of ours, and each would compile our sources again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if memory.folder():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory.folder()))  # where `tmp_path` is

# Who starts the tests in the background may ignore Ctrl-C, and every program that they start would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config) -> Path:
    """A folder that every process of this run has."""
    return pytestconfig.stash[FOLDER]


# ── before and after ────────────────────────────────────────────────────────────────────────────


def pytest_configure(config: pytest.Config) -> None:
    given = _worker_input(config)
    if given is None:
        config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="sms-tests-"))
    else:
        config.stash[FOLDER] = Path(str(given["shared_folder"]))
        config.stash[COMPANY] = Company(config.stash[FOLDER])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "pytest.Session") -> None:
    node.workerinput["shared_folder"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _worker_input(config) is None:
        wait_until_gone(config.stash[FOLDER])
        shutil.rmtree(config.stash[FOLDER])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto` is two more than there are cores, twice as many at most: two thirds of the time goes by in waiting for
    other processes; `-n logical` is as many as cores, for tests that only compute."""
    cores = len(os.sched_getaffinity(0))
    return cores if config.option.numprocesses == "logical" else min(cores + 2, 2 * cores)


def _worker_input(config: pytest.Config) -> dict[str, object] | None:
    """What the first process told us; None where we are the first."""
    return getattr(config, "workerinput", None)


# ── who runs what ───────────────────────────────────────────────────────────────────────────────


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.sharing import Sharing

    return Sharing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _worker_input(config):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, bool, int]:
    """Alone last, when all others are over anyway; what is long first, while others have much to do beside it."""
    path = item.path.relative_to(ROOT / "tests").as_posix()
    tier = next(number for number, each in enumerate(TIERS) if path.startswith(f"{each}/"))
    return _is_alone(item), not item.get_closest_marker("long"), tier


def _is_alone(item: pytest.Item | None) -> bool:
    mark = item.get_closest_marker("alone") if item else None
    return mark is not None and bool(mark.kwargs["reason"])


@pytest.hookimpl(wrapper=True, tryfirst=True)  # the wait does not count as the test's time
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    company = item.config.stash.get(COMPANY, None)
    if company:
        company.enter(alone=_is_alone(item))
    result = yield
    if company:
        company.leave(next_alone=_is_alone(nextitem))
    return result
