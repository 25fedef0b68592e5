"""How long a connection waits for a silent server."""

import pytest

from app.store.patience import FORGET_AFTER_S, Patience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def patience(clock):
    return Patience(3, 20, clock)


def test_a_statement_that_is_too_long_gets_twice_the_time_up_to_a_limit(patience):
    limits = []
    for _ in range(4):
        limits.append(patience.limit_s)
        patience.was_too_short(patience.limit_s)
        patience.server_is_there()

    assert (limits, patience.limit_s) == ([3, 6, 12, 20], 20)


def test_several_statements_that_were_too_long_together_count_once(patience):
    for _ in range(5):
        patience.was_too_short(3)
    patience.server_is_there()

    assert patience.limit_s == 6


def test_a_server_that_is_gone_says_nothing_of_how_long_statements_take(patience):
    patience.was_too_short(3)
    patience.server_is_gone()
    patience.server_is_there()

    assert patience.limit_s == 3


def test_an_old_connection_with_little_patience_takes_none_from_the_new_ones(patience):
    for limit_s in (3, 6, 3):
        patience.was_too_short(limit_s)
        patience.server_is_there()

    assert patience.limit_s == 12


def test_patience_is_forgotten_after_a_while(patience, clock):
    patience.was_too_short(3)
    patience.server_is_there()
    clock.now += FORGET_AFTER_S
    kept = patience.limit_s
    clock.now += 1

    assert (kept, patience.limit_s) == (6, 3)
