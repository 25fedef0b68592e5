"""Logging in, being known, being slowed down after wrong passwords, and leaving."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.access import login, passwords, users
from app.access.login import log_in, log_out, user_of, wait
from app.access.passwords import Cost
from app.domain.rights import Role
from app.errors import LoginRefused
from app.store.access_tables import login_failures, sessions
from app.store.database import writing
from app.store.tables import metadata
from tests.integration.app.test_audit_trail import entries

WORD, WRONG = "correct horse battery", "wrong horse battery"
HERE, THERE = "192.0.2.1", "192.0.2.2"
CHEAP = Cost(16, 8, 1)


class Clock:
    """Stands still unless told otherwise; a little ahead, so that nothing is before the database's rows."""

    def __init__(self):
        self.now = datetime.now(UTC).replace(microsecond=0)  # as the database keeps it

    def __call__(self):
        return self.now

    def go_on(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(passwords.hashed, "__defaults__", (CHEAP,))
    monkeypatch.setattr(passwords, "COST", CHEAP)
    login._nobodys.cache_clear()


@pytest.fixture
def ada(database):
    users.add(database, "ada", Role.OPERATOR, WORD)
    return database


@pytest.fixture
def on_sqlite(sqlite):
    users.add(sqlite, "ada", Role.OPERATOR, WORD)
    return sqlite


@pytest.fixture
def looked_at(monkeypatch):
    """The passwords that were looked at."""
    seen = []
    is_right = passwords.is_right
    monkeypatch.setattr(passwords, "is_right", lambda word, stored: (seen.append(word), is_right(word, stored))[1])
    return seen


def fail(database, clock, name="ada", address=HERE, word=WRONG):
    with pytest.raises(LoginRefused):
        log_in(database, name, word, address, clock)


# ── being known ─────────────────────────────────────────────────────────────────────────────────


def test_whoever_logged_in_is_known_by_their_session_until_they_leave(ada, clock):
    secret, other = log_in(ada, "Ada", WORD, HERE, clock), log_in(ada, "ada", WORD, THERE, clock)

    assert (user_of(ada, secret).name, user_of(ada, secret).role) == ("ada", Role.OPERATOR)
    assert user_of(ada, secret[:-1]) is None

    log_out(ada, secret)

    assert user_of(ada, secret) is None
    assert user_of(ada, other).name == "ada"
    assert [(each.deed, each.who, each.address) for each in entries(ada)][:2] == [
        *(("log_in", "ada", THERE), ("log_in", "ada", HERE))
    ]


def test_a_moment_that_the_database_rounds_up_keeps_nobody_out(ada, clock):
    clock.now = clock.now.replace(microsecond=999_700)

    assert log_in(ada, "ada", WORD, HERE, clock)


def test_a_session_is_nowhere_to_be_read(on_sqlite, clock):
    secret = log_in(on_sqlite, "ada", WORD, HERE, clock)

    with on_sqlite.connect() as connection:
        everything = str([connection.execute(sa.select(each)).all() for each in metadata.tables.values()])
    assert len(secret) >= 43
    assert secret not in everything


def test_a_session_in_which_nothing_is_done_for_half_an_hour_is_over(on_sqlite, clock):
    secret = log_in(on_sqlite, "ada", WORD, HERE, clock)

    clock.go_on(minutes=29)
    assert user_of(on_sqlite, secret, is_there=False, clock=clock)
    clock.go_on(minutes=2)
    assert user_of(on_sqlite, secret, clock=clock) is None


def test_doing_something_keeps_it_and_a_page_that_renews_itself_does_not(on_sqlite, clock):
    secret = log_in(on_sqlite, "ada", WORD, HERE, clock)
    with writing(on_sqlite) as connection:
        connection.execute(sessions.update().values(seen_at=datetime.now(UTC) - timedelta(minutes=29)))

    assert user_of(on_sqlite, secret, is_there=False)
    assert user_of(on_sqlite, secret, is_there=False, clock=lambda: datetime.now(UTC) + timedelta(minutes=2)) is None
    assert user_of(on_sqlite, secret)
    assert user_of(on_sqlite, secret, clock=lambda: datetime.now(UTC) + timedelta(minutes=2))


@pytest.mark.parametrize(
    "change",
    [lambda database: users.disable(database, "ada"), lambda database: users.change_password(database, "ada", WRONG)],
)
def test_who_is_disabled_or_has_another_password_has_to_leave_at_once(on_sqlite, clock, change):
    secrets = [log_in(on_sqlite, "ada", WORD, each, clock) for each in (HERE, THERE)]

    change(on_sqlite)

    assert [user_of(on_sqlite, each) for each in secrets] == [None, None]


def test_another_role_counts_from_the_next_step_on(on_sqlite, clock):
    secret = log_in(on_sqlite, "ada", WORD, HERE, clock)

    users.set_role(on_sqlite, "ada", Role.VIEWER)

    assert user_of(on_sqlite, secret).role is Role.VIEWER


def test_sessions_that_are_over_are_cleared_away_by_the_next_one(on_sqlite, clock):
    log_in(on_sqlite, "ada", WORD, HERE, clock)
    clock.go_on(hours=1)
    log_in(on_sqlite, "ada", WORD, HERE, clock)

    with on_sqlite.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(sessions)).scalar_one() == 1


def test_a_password_that_is_stored_at_a_lower_cost_is_stored_anew(on_sqlite, clock, monkeypatch):
    dearer = Cost(32, 8, 1)
    monkeypatch.setattr(passwords.hashed, "__defaults__", (dearer,))
    monkeypatch.setattr(passwords, "COST", dearer)

    log_in(on_sqlite, "ada", WORD, HERE, clock)

    with on_sqlite.connect() as connection:
        assert "$32$8$1$" in connection.exec_driver_sql("SELECT password FROM users").scalar_one()
    assert log_in(on_sqlite, "ada", WORD, HERE, clock)


# ── not being let in ────────────────────────────────────────────────────────────────────────────


def test_there_is_one_answer_for_every_failure_and_each_takes_a_hash(on_sqlite, clock, looked_at):
    users.add(on_sqlite, "bob", Role.ADMIN, WORD)
    users.disable(on_sqlite, "bob")
    codes = set()
    for name, word in (("ada", WRONG), ("nobody", WORD), ("bob", WORD), ("", ""), ("\ud842", "\ud842")):
        with pytest.raises(LoginRefused) as refusal:
            log_in(on_sqlite, name, word, f"192.0.2.{len(looked_at)}", clock)
        codes.add(str(refusal.value))

    assert codes == {"login_refused"}
    assert len(looked_at) == 5


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (3, 0), (4, 1), (5, 2), (6, 4), (9, 32), (10, 60), (11, 60), (10**9, 60)]
)
def test_each_further_failure_costs_a_longer_wait_up_to_a_limit(failures, seconds):
    assert wait(failures).total_seconds() == seconds


def test_during_the_wait_nothing_is_looked_at_and_after_it_the_right_one_is_let_in(ada, clock, looked_at):
    for _ in range(5):  # from everywhere
        fail(ada, clock, address=f"192.0.2.{len(looked_at)}")
        clock.go_on(seconds=1)
    looked_at.clear()

    fail(ada, clock, address=THERE, word=WORD)
    assert looked_at == []

    clock.go_on(seconds=1)
    assert log_in(ada, "ada", WORD, THERE, clock)
    assert log_in(ada, "ada", WORD, THERE, clock)  # and begins anew


def test_an_address_is_slowed_down_whatever_names_it_tries(on_sqlite, clock, looked_at):
    for number in range(4):
        fail(on_sqlite, clock, name=f"user{number}")
    looked_at.clear()

    fail(on_sqlite, clock, word=WORD)
    assert looked_at == []
    assert log_in(on_sqlite, "ada", WORD, THERE, clock)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_not_slowed_down_as_an_address_for_everybody_may_come_from_it(on_sqlite, clock, address):
    for number in range(9):
        fail(on_sqlite, clock, name=f"user{number}", address=address)

    assert log_in(on_sqlite, "ada", WORD, address, clock)


def test_what_is_absurdly_long_is_wrong_and_costs_no_more_than_what_is_not(on_sqlite, clock, looked_at):
    marks = "\u0301" * 30_000 + "\u0327" * 30_000  # to put them in order takes half a minute
    begun = time.process_time()

    fail(on_sqlite, clock, name=marks)
    fail(on_sqlite, clock, name="a", word=marks)

    assert len(looked_at) == 2
    assert time.process_time() - begun < 5


def test_who_is_let_in_does_not_wipe_out_what_others_of_the_address_did(on_sqlite, clock):
    for number in range(3):
        fail(on_sqlite, clock, name=f"user{number}")
    log_in(on_sqlite, "ada", WORD, HERE, clock)
    fail(on_sqlite, clock, name="user4")

    fail(on_sqlite, clock, word=WORD)


def test_a_network_of_version_6_is_one_address(on_sqlite, clock, looked_at):
    for number in range(4):
        fail(on_sqlite, clock, name=f"user{number}", address=f"2001:db8::{number}")
    looked_at.clear()

    fail(on_sqlite, clock, address="2001:db8::ffff", word=WORD)
    assert looked_at == []
    assert log_in(on_sqlite, "ada", WORD, "2001:db8:0:1::1", clock)


def test_a_try_counts_before_it_is_looked_at_so_that_many_at_once_are_no_way_around(on_sqlite, clock, monkeypatch):
    tries = []

    def others_come_meanwhile(word, stored):
        tries.append(word)
        if len(tries) < 50:
            fail(on_sqlite, clock)
        return False

    monkeypatch.setattr(passwords, "is_right", others_come_meanwhile)
    fail(on_sqlite, clock)

    assert len(tries) == 4


def test_what_was_typed_as_a_name_is_not_kept_and_all_is_forgotten_after_a_day(on_sqlite, clock):
    fail(on_sqlite, clock, name=WORD)
    with on_sqlite.connect() as connection:
        rows = connection.execute(sa.select(login_failures)).all()
    assert WORD not in str(rows)
    assert len(rows) == 2

    clock.go_on(days=2)
    log_in(on_sqlite, "ada", WORD, THERE, clock)

    with on_sqlite.connect() as connection:
        left = connection.execute(sa.select(login_failures)).all()
    assert [each[1] for each in left] == [0]
