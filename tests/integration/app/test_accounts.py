"""What is one for all who send over an account: its sessions and its rate, taken by several at one moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.store import accounts, faults
from app.store.faults import write

WITHIN_S = 60.0
HOLDERS = 6


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Who is undone by the others tries again, for as long as a busy machine needs."""
    monkeypatch.setattr(faults, "TRY_FOR_S", WITHIN_S)


@pytest.mark.parametrize("number", range(5))
def test_who_come_at_one_moment_to_a_new_account_get_a_session_each(database, number):
    begin = Barrier(HOLDERS)

    def take(holder: int) -> int | None:
        begin.wait(WITHIN_S)
        return write(database, lambda connection: accounts.take_bind(connection, "new", HOLDERS - 1, f"{holder}"))

    with ThreadPoolExecutor(HOLDERS) as threads:
        taken = list(threads.map(take, range(HOLDERS), timeout=WITHIN_S))

    got = [each for each in taken if each is not None]
    assert len({*got}) == len(got) >= 1
    left = [write(database, lambda each: accounts.take_bind(each, "new", HOLDERS - 1, "later")) for _ in taken]
    assert {*got, *left} == {None, *range(HOLDERS - 1)}


def test_who_come_at_one_moment_to_a_new_account_speak_for_its_rate_one_after_the_other(database):
    begin = Barrier(HOLDERS)

    def reserve(_: int) -> float:
        begin.wait(WITHIN_S)
        write(database, lambda connection: accounts.make_sure(connection, "new"))
        return write(database, lambda connection: accounts.reserve(connection, "new", lambda _: 60_000_000)).begins

    with ThreadPoolExecutor(HOLDERS) as threads:
        begins = sorted(threads.map(reserve, range(HOLDERS), timeout=WITHIN_S))

    assert [round(each - begins[0]) for each in begins] == [60 * each for each in range(HOLDERS)]


def test_a_session_whose_holder_shows_no_life_is_given_to_another(database):
    database.update_execution_options(lease_s=-1.0)
    write(database, lambda connection: accounts.take_bind(connection, "new", 1, "one"))

    assert write(database, lambda connection: accounts.take_bind(connection, "new", 1, "other")) == 0
    assert not write(database, lambda connection: accounts.keep_bind(connection, "new", 0, "one"))
