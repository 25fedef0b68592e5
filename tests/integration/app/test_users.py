"""Users, their roles and passwords, and the command that makes them."""

import io
import json

import pytest
import sqlalchemy as sa

from app.access import login, passwords, users
from app.access.passwords import Cost
from app.cli import users as command
from app.domain.actor import Actor, Via
from app.domain.rights import Role
from app.errors import BadName, BadPassword, LoginRefused, NameTaken, UnknownUser
from app.store import users as store
from app.store.tables import metadata
from tests.integration.app.test_audit_trail import entries

ADA = Actor("ada", Via.PAGES)
WORD, OTHER = "correct horse battery", "another staple entirely"


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Passwords cost nothing; those of tests are no secret."""
    monkeypatch.setattr(passwords.hashed, "__defaults__", (Cost(16, 8, 1),))
    monkeypatch.setattr(passwords, "COST", Cost(16, 8, 1))


def lets_in(database, name, word):
    try:
        return bool(login.log_in(database, name, word, ""))
    except LoginRefused:
        return False


def test_a_user_has_a_role_and_a_password_that_nobody_reads(database):
    assert users.add(database, " Ada ", Role.OPERATOR, WORD, ADA) == "ada"

    with database.connect() as connection:
        (found,) = store.every(connection)
        everything = str([connection.execute(sa.select(each)).all() for each in metadata.tables.values()])
    assert (found.name, found.role, found.disabled_at) == ("ada", Role.OPERATOR, None)
    assert WORD not in everything
    assert "scrypt" not in repr(found)
    assert lets_in(database, "ADA", WORD)


def test_a_name_is_one_persons_for_good(sqlite):
    users.add(sqlite, "ada", Role.VIEWER, WORD)
    users.disable(sqlite, "ada")

    with pytest.raises(NameTaken):
        users.add(sqlite, "Ada", Role.VIEWER, WORD)
    for name in ("", "a b", "ada@host", "token:ci"):
        with pytest.raises(BadName):
            users.add(sqlite, name, Role.VIEWER, WORD)
    with pytest.raises(BadPassword):
        users.add(sqlite, "bob", Role.VIEWER, "12345")
    for change in (users.disable, users.enable):
        with pytest.raises(UnknownUser):
            change(sqlite, "bob")


def test_who_is_disabled_is_let_in_again_only_once_enabled(sqlite):
    users.add(sqlite, "ada", Role.VIEWER, WORD)

    assert [users.disable(sqlite, "ada"), users.disable(sqlite, "ada"), lets_in(sqlite, "ada", WORD)] == [
        *(True, False, False)
    ]
    assert [users.enable(sqlite, "ada"), users.enable(sqlite, "ada"), lets_in(sqlite, "ada", WORD)] == [
        *(True, False, True)
    ]


def test_it_is_on_record_who_changed_whom_and_no_password_is(sqlite):
    users.add(sqlite, "bob", Role.VIEWER, WORD, ADA)
    users.set_role(sqlite, "bob", Role.ADMIN, ADA)
    users.set_role(sqlite, "bob", Role.ADMIN, ADA)
    users.change_password(sqlite, "bob", OTHER, ADA)
    users.disable(sqlite, "bob", ADA)
    users.enable(sqlite, "bob", ADA)

    told = [(each.deed, each.before, each.after) for each in reversed(entries(sqlite))]
    assert told == [
        ("user_add", {}, {"role": "viewer"}),
        ("user_role", {"role": "viewer"}, {"role": "admin"}),
        ("user_password", {}, {}),
        ("user_disable", {"role": "admin"}, {}),
        ("user_enable", {}, {"role": "admin"}),
    ]
    assert {(each.who, each.subject) for each in entries(sqlite)} == {("ada", "bob")}


# ── the command ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def word_file(tmp_path):
    path = tmp_path / "word"
    path.write_text(f"{WORD}\nnot this\n")
    return str(path)


def test_users_are_made_listed_and_changed(app, sqlite, word_file):
    assert app("users").out.startswith("there are no users; make one")
    assert app("users", "add", "Ada", "--role", "admin", "--password-file", word_file).out == (
        "ada may log in as admin\n"
    )
    assert app("users", "role", "ada", "--role", "viewer").code == 0
    assert "viewer" in app("users").out
    assert lets_in(sqlite, "ada", WORD)
    assert app("users", "passwd", "ada", "--password-file", word_file).out.endswith("1 session ended\n")
    assert app("users", "disable", "ada").out == "ada is disabled and logged out\n"
    assert app("users", "disable", "ada").out == "ada is so already\n"
    (facts,) = json.loads(app("users", "--json").out)
    assert (facts["name"], facts["role"], facts["disabled_at"] is None) == ("ada", "viewer", False)
    assert app("users", "enable", "ada").out == "ada may log in again\n"


def test_a_password_is_asked_for_twice_where_somebody_is(app, sqlite, monkeypatch):
    answers = iter([WORD, "something else", WORD])
    monkeypatch.setattr(command.sys, "stdin", _Terminal())
    monkeypatch.setattr("getpass.getpass", lambda *_: next(answers))

    ended = app("users", "add", "ada", "--role", "admin")

    assert (ended.code, lets_in(sqlite, "ada", WORD)) == (0, True)
    assert WORD not in ended.out + ended.err


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_password_comes_from_stdin_where_it_is_told_to(app, sqlite, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WORD}\r\n"))

    app("users", "add", "ada", "--role", "admin", "--password-file", "-")

    assert lets_in(sqlite, "ada", WORD)


def test_where_nobody_can_be_asked_a_sentence_says_what_to_give(app, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    app("users", "add", "ada", "--role", "admin").assert_refused("--password-file")


def test_a_password_is_no_argument(app):
    assert app("users", "add", "ada", "--role", "admin", "--password", WORD).code == 2
    assert app("users", "add", "ada", WORD, "--role", "admin").code == 2


@pytest.mark.parametrize(
    "wrong",
    [("add",), ("add", "ada"), ("list", "ada"), ("disable",), ("disable", "ada", "--role", "viewer"),
     ("add", "ada", "--role", "king"), ("disable", "ada", "--password-file", "x")],
)  # fmt: skip
def test_what_is_too_much_or_too_little_is_wrong_usage(app, wrong):
    assert app("users", *wrong).code == 2


def test_refusals_are_sentences(app, tmp_path, word_file):
    short = tmp_path / "short"
    short.write_text("12345")
    app("users", "add", "ada", "--role", "admin", "--password-file", str(short)).assert_refused("12 to 256 letters")
    app("users", "add", "ada", "--role", "admin", "--password-file", str(tmp_path / "none")).assert_refused("none")
    app("users", "disable", "ada").assert_refused("there is no user ada")
    app("users", "add", "a@b", "--role", "admin", "--password-file", word_file).assert_refused("a user's name")


@pytest.mark.usefixtures("chinese")
def test_it_speaks_chinese(app, word_file):
    assert app("users", "add", "ada", "--role", "admin", "--password-file", word_file).out == (
        "ada可以管理员身份登录\n"
    )
