"""Texts of others as a terminal may have them."""

import pytest

from app.wording import harmless


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
