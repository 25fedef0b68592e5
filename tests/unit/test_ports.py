"""Tests that run beside each other do not meet at a port."""

import pytest

from tests.ports import _ours, free_port


@pytest.fixture(autouse=True)
def anew():
    """Who we are is looked at again, before and after."""
    _ours.cache_clear()
    yield
    _ours.cache_clear()


def test_a_port_that_was_given_is_not_given_again_soon():
    found = [free_port() for _ in range(200)]

    assert len(set(found)) == 200
    assert min(found) >= 10_000


def test_processes_that_share_the_tests_have_ports_of_their_own(monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    found: list[set[int]] = []
    for worker in range(3):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{worker}")
        _ours.cache_clear()
        found.append({free_port() for _ in range(300)})

    assert len(set.union(*found)) == 3 * 300
