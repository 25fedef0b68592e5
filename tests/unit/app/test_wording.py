"""Counts as a person says them."""

import pytest

from app.wording import counted, harmless


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 customers"), (1, "1 customer"), (2, "2 customers"), (2_000_000, "2,000,000 customers")]
)
def test_one_is_singular_and_every_other_count_plural(count, said):
    assert counted(count, "customer") == said


def test_a_plural_that_is_more_than_an_s_is_given():
    assert [counted(count, "id is", "ids are") for count in (1, 2)] == ["1 id is", "2 ids are"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("尊敬的张伟\n", "尊敬的张伟\n"),
        ("\x1b[2Ja\x9b31m\x07\n", "\ufffd[2Ja\ufffd31m\ufffd\n"),
        ("a\rb\tc\x00\x7f", "a\ufffdb\ufffdc\ufffd\ufffd"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_as_a_sign(text, shown):
    assert harmless(text, keep="\n") == shown
