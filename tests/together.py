"""How several processes share the tests (`make test`): who gets which, what they share, and who runs alone."""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.company import Company
from tests.keeper import wait_until_gone

TIERS = ("acceptance", "integration/app", "integration", "house", "unit")
"""In this order they are given out: the small ones come last, so that all processes end at about the same time."""
SMALL = ("house", "unit")
"""Here a file goes to one process: to hand its tests out one by one would take longer than to run them."""
FOLDER = pytest.StashKey[Path]()
COMPANY = pytest.StashKey[Company]()

# The tests start some two thousand processes of ours, and each would compile our sources again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


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
def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: much of the time goes by in waiting for other processes."""
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or len(os.sched_getaffinity(0)) + 1)


def _worker_input(config: pytest.Config) -> dict[str, object] | None:
    """What the first process told us; None where we are the first."""
    return getattr(config, "workerinput", None)


# ── who runs what ───────────────────────────────────────────────────────────────────────────────


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _worker_input(config) is None:
        return
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    """Tests with the same group go to the same process, one after the other; '' is nobody else's."""
    if _is_alone(item):
        return "alone"
    if item.get_closest_marker("long"):
        return ""
    return str(item.path) if _tier(item) in SMALL or _shares_a_fixture(item) else ""


def _shares_a_fixture(item: pytest.Item) -> bool:
    """Whether the tests of this file have something in common that is made once, such as a server."""
    found = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(definitions[-1].scope == "module" for definitions in found.values())


def _turn(item: pytest.Item) -> tuple[bool, bool, int]:
    """Alone last, when all others are over anyway; what is long first, while others have much to do beside it."""
    return _is_alone(item), not item.get_closest_marker("long"), TIERS.index(_tier(item))


def _tier(item: pytest.Item) -> str:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    return next(each for each in TIERS if path.startswith(f"{each}/"))


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
