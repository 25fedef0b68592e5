"""Which name was meant."""

import time

import pytest

from app.domain.suggestion import closest

KNOWN = ["spring", "spring-2026", "may", "春季活动"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sprnig", "spring"),
        ("SPRING", "spring"),
        ("spring-2025", "spring-2026"),
        ("春季活", "春季活动"),
        ("mai", None),
        ("autumn", None),
        ("", None),
    ],
)
def test_the_one_that_is_most_like_it_was_meant(name, meant):
    assert closest(name, KNOWN) == meant


def test_of_none_none_was_meant():
    assert closest("spring", []) is None


def test_a_thousand_long_names_are_looked_through_in_no_time():
    known = [f"campaign-of-the-northern-branch-{number:05}-to-all-customers" for number in range(1_000)]
    began = time.process_time()

    closest("campain-of-the-nothern-branch-00500-to-al-customers", known)

    assert time.process_time() - began < 2.0
