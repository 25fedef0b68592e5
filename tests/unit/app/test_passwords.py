"""How passwords are kept."""

import pytest

from app.access import passwords
from app.access.passwords import COST, Cost, hashed, is_outdated, is_right
from app.errors import BadPassword

CHEAP = Cost(16, 8, 1)
WORD = "correct horse battery"


def test_a_password_is_right_and_no_other_one_is():
    stored = hashed(WORD, CHEAP)

    assert is_right(WORD, stored)
    assert [is_right(each, stored) for each in ("", WORD[:-1], WORD + " ", WORD.upper(), "\ud842" * 12)] == [False] * 5


def test_the_same_password_is_stored_in_another_form_each_time_and_never_as_it_is():
    first, second = hashed(WORD, CHEAP), hashed(WORD, CHEAP)

    assert first != second
    assert WORD not in first


def test_the_parameters_stand_beside_it_so_that_a_weaker_one_is_known():
    assert hashed(WORD, CHEAP).startswith("scrypt$16$8$1$")
    assert is_outdated(hashed(WORD, CHEAP))
    assert not is_outdated(hashed(WORD, COST))


def test_it_is_as_slow_as_it_is_meant_to_be():
    assert 128 * COST.n * COST.r == 32 * 2**20
    assert COST.p == 3


def test_one_letter_is_the_same_on_every_keyboard():
    assert is_right("cafe\u0301 cafe\u0301 cafe\u0301", hashed("caf\u00e9 caf\u00e9 caf\u00e9", CHEAP))


@pytest.mark.parametrize("word", ["", "short", "x" * 257, "aaaaaaaaaaaa", "abababababab"])
def test_what_could_be_guessed_is_refused(word):
    with pytest.raises(BadPassword):
        passwords.check(word)


def test_what_is_stored_in_a_form_that_we_do_not_know_is_right_for_nobody():
    with pytest.raises(ValueError, match="argon2"):
        is_right(WORD, "argon2$1$2$3$AAAA$AAAA")
