"""Named tokens: scopes, an end, and a life that needs no restart; nobody reads one anywhere."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app.access import tokens
from app.access.keyring import ANYBODY, Keyring
from app.campaigns.control import control
from app.domain.actor import Actor, Via
from app.domain.campaign import Verb
from app.domain.rights import EVERY_SCOPE, Right, Scope
from app.errors import BadName, NameTaken, UnknownToken
from app.store import tokens as store
from app.store.database import writing
from app.store.tables import metadata
from tests.integration.app.campaigns import trigger
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product, changed
from tests.integration.app.test_audit_trail import entries
from tests.waiting import until

ADA = Actor("ada", Via.PAGES)
FOREVER = None


def keys(database, master=""):
    made = Keyring(database, SecretStr(master), lambda: SecretStr(master))
    made.look()
    return made


def everything(database):
    with database.connect() as connection:
        return str([connection.execute(sa.select(each)).all() for each in metadata.tables.values()])


# ── made, revoked, expired ──────────────────────────────────────────────────────────────────────


def test_a_token_opens_what_its_scopes_say_until_it_is_revoked(database):
    token = tokens.add(database, "ci", [Scope.READ, Scope.TRIGGER], FOREVER, ADA)
    ring = keys(database)

    bearer = ring.bearer(token)
    assert (bearer.who, bearer.may(Right.SEE), bearer.may(Right.START)) == ("token:ci", True, True)
    assert not bearer.may(Right.CONTROL)
    assert ring.bearer(token[:-1]) is None

    assert tokens.revoke(database, "ci", ADA)
    ring.look()

    assert ring.bearer(token) is None
    assert not ring.still_holds(bearer)
    assert not tokens.revoke(database, "ci")


def test_a_token_is_nowhere_to_be_read(sqlite):
    token = tokens.add(sqlite, "ci", [Scope.READ], FOREVER)

    assert token.startswith("sms_")
    assert len(token) > 40
    assert token[4:] not in everything(sqlite)


def test_it_is_on_record_who_made_and_revoked_one(sqlite):
    tokens.add(sqlite, "ci", [Scope.TRIGGER, Scope.READ], datetime(2030, 1, 1, tzinfo=UTC), ADA)
    tokens.revoke(sqlite, "ci", ADA)
    tokens.revoke(sqlite, "ci", ADA)

    revoked, made = entries(sqlite)
    assert (made.deed, made.who, made.subject) == ("token_add", "ada", "ci")
    assert made.after == {"scopes": "read trigger", "expires": "2030-01-01T00:00:00+00:00"}
    assert (revoked.deed, revoked.before) == ("token_revoke", {"scopes": "read trigger"})


def test_a_token_opens_nothing_from_the_moment_that_it_expires(sqlite):
    at = datetime(2030, 1, 1, tzinfo=UTC)
    token = tokens.add(sqlite, "ci", [Scope.READ], at)
    now = [at - timedelta(seconds=1)]
    ring = Keyring(sqlite, SecretStr(""), lambda: SecretStr(""), clock=lambda: now[0])
    ring.look()
    bearer = ring.bearer(token)

    now[0] = at  # nobody looks into the database for it

    assert bearer is not None
    assert ring.bearer(token) is None
    assert not ring.still_holds(bearer)


def test_a_name_is_given_once_and_for_all(sqlite):
    tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    tokens.revoke(sqlite, "ci")

    with pytest.raises(NameTaken):
        tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    for name in ("", "a b", "ada@host", "token:ci", "x" * 65):
        with pytest.raises(BadName):
            tokens.add(sqlite, name, [Scope.READ], FOREVER)
    with pytest.raises(UnknownToken):
        tokens.revoke(sqlite, "nobody")


# ── known by heart ──────────────────────────────────────────────────────────────────────────────


def test_without_any_token_everybody_is_let_in_and_with_one_nobody_else(sqlite):
    ring = keys(sqlite)
    assert ring.bearer("") is ring.bearer("anything") is ANYBODY

    tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    ring.look()

    assert ring.bearer("") is None
    assert not ring.still_holds(ANYBODY)


def test_a_door_that_was_closed_is_not_opened_when_the_last_token_is_revoked(sqlite):
    tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    tokens.revoke(sqlite, "ci")

    assert keys(sqlite).bearer("") is None


def test_before_the_first_look_nobody_is_let_in_by_guess(sqlite):
    ring = Keyring(sqlite, SecretStr(""), lambda: SecretStr(""))

    assert (ring.bearer(""), ring.has_looked) == (None, False)


def test_the_token_of_the_settings_has_every_scope_and_needs_no_database(sqlite):
    ring = Keyring(sqlite, SecretStr("master"), lambda: SecretStr(""))

    bearer = ring.bearer("master")
    assert (bearer.who, bearer.scopes) == ("token", EVERY_SCOPE)
    assert ring.still_holds(bearer)
    assert ring.bearer("\ud842") is None


def test_the_token_of_the_settings_may_be_changed_and_not_be_given_up(sqlite):
    now = ["first"]
    ring = Keyring(sqlite, SecretStr("first"), lambda: SecretStr(now[0]))
    before = ring.bearer("first")
    for now[0] in ("second", ""):
        ring.look()

        assert ring.still_holds(ring.bearer("second"))
        assert ring.bearer("first") is None
        assert not ring.still_holds(before)


def test_who_is_not_let_in_costs_next_to_nothing_and_the_database_nothing_at_all(sqlite):
    """Strangers may ask as often as they like."""
    tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    ring = keys(sqlite, "master")
    asked = []
    sa.event.listen(sqlite, "before_cursor_execute", lambda *_: asked.append(1))
    began = time.process_time()

    for number in range(20_000):
        assert ring.bearer(f"sms_{number}") is None
    assert ring.bearer("x" * 60_000) is None

    assert time.process_time() - began < 0.5  # 1 us each; 25 are allowed
    assert asked == []


def test_it_is_noted_when_a_token_was_used_and_not_at_every_look(sqlite, monkeypatch):
    token = tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    noted = []
    note = store.note_used
    monkeypatch.setattr(store, "note_used", lambda connection, ids: (noted.append(ids), note(connection, ids)))
    ring = keys(sqlite)
    for _ in range(3):
        ring.bearer(token)
        ring.look()
    ring.look()

    with sqlite.connect() as connection:
        (found,) = store.every(connection)
    assert len(noted) == 1
    assert abs(datetime.now(UTC) - found.used_at) < timedelta(minutes=1)


def test_a_scope_that_a_later_release_gave_is_none_here(sqlite):
    token = tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
    with writing(sqlite) as connection:
        connection.execute(sa.text("UPDATE tokens SET scopes = 'read fly'"))

    assert keys(sqlite).bearer(token).scopes == {Scope.READ}


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def test_a_token_stands_alone_on_stdout_and_what_there_is_to_say_beside_it(app, sqlite):
    made = app("tokens", "add", "ci", "--scope", "trigger", "--scope", "read", "--expires", "48h")
    second = app("tokens", "add", "other", "--scope", "operate", "--expires", "never")

    assert keys(sqlite).bearer(made.out.strip()).scopes == {Scope.TRIGGER, Scope.READ}
    assert "from now on the trigger's port asks for a token" in made.err
    assert "from now on" not in second.err
    listed = app("tokens")
    assert "read trigger" in listed.out and "in force" in listed.out
    assert made.out.strip()[4:] not in listed.out + app("tokens", "--json").out

    assert app("tokens", "revoke", "ci").out.startswith("ci is revoked")
    assert app("tokens", "revoke", "ci").out == "ci was revoked before\n"
    states = {each["name"]: (each["state"], each["expires_at"]) for each in json.loads(app("tokens", "--json").out)}
    assert states["ci"][0] == "revoked"
    assert states["other"] == ("in_force", None)


@pytest.mark.parametrize(
    "wrong",
    [("add",), ("add", "ci"), ("list", "ci"), ("revoke",), ("revoke", "ci", "--scope", "read"),
     ("add", "ci", "--scope", "all"), ("add", "ci", "--scope", "read", "--expires", "soon")],
)  # fmt: skip
def test_what_is_too_much_or_too_little_is_wrong_usage(app, wrong):
    assert app("tokens", *wrong).code == 2


def test_refusals_are_sentences(app):
    app("tokens", "revoke", "ci").assert_refused("there is no token ci")
    app("tokens", "add", "a b", "--scope", "read").assert_refused("a token's name is")


@pytest.mark.usefixtures("chinese")
def test_it_speaks_chinese(app):
    assert app("tokens").out == "没有命名的token\n"
    assert "两秒内生效" in app("tokens", "add", "ci", "--scope", "read").err


# ── a real server ───────────────────────────────────────────────────────────────────────────────


def asked(product, **fields):
    return json.loads(product.ask(json.dumps(fields)))


def code(answer):
    return answer["why"]["code"] if "why" in answer else answer.get("error", "ok")


def once_known(product, **fields):
    """The code of the answer of a worker that knows the token: each looks by itself, and the next one asked may not
    have yet."""
    return until(lambda: (found := code(asked(product, **fields))) != "forbidden" and found, what="the token is known")


def test_tokens_are_made_and_revoked_while_the_server_runs(sqlite, sqlite_url, tmp_path):
    with Product(sqlite_url, tmp_path, trigger_token="t0p-secret") as product:
        move_in(sqlite, crowd(5))
        product.start()
        token = product.run("tokens", "add", "ci", "--scope", "trigger").stdout.strip()

        until(lambda: asked(product, campaign="a", token=token)["ok"], what="the token is known")
        refusals = [
            once_known(product, campaign="a", token=token, watch=True),
            once_known(product, watch="a", token=token),
            once_known(product, pause="a", token=token),
        ]
        with_master = asked(product, cancel="a", token="t0p-secret")
        product.run("tokens", "revoke", "ci")
        until(lambda: code(asked(product, campaign="b", token=token)) == "forbidden", what="the token is refused")

        assert code(with_master) in {"ok", "wrong_state.cancel"}
        assert refusals == ["forbidden.scope"] * 3
        assert token not in product.said()
    assert ("start", "token:ci", "127.0.0.1") in [(each.deed, each.who, each.address) for each in entries(sqlite)]


def test_a_watcher_whose_token_is_revoked_is_let_go(sqlite, sqlite_url, tmp_path):
    with Product(sqlite_url, tmp_path) as product:
        product.program = changed("app.trigger.watchers", HEARTBEAT_S=0.1)
        token = tokens.add(sqlite, "ci", [Scope.READ], FOREVER)
        move_in(sqlite, crowd(5))
        trigger(sqlite, "a", 10)
        control(sqlite, product.logs, "a", Verb.PAUSE)  # one that is over is watched no longer
        product.start()
        with product.client() as client:
            client.send(json.dumps({"watch": "a", "token": token}))
            client.read_line()
            tokens.revoke(sqlite, "ci")

            assert {json.loads(each)["state"] for each in client.lines()} == {"paused"}  # it ends


def test_the_token_file_may_be_made_and_changed_while_the_server_runs(sqlite, sqlite_url, tmp_path):
    with Product(sqlite_url, tmp_path) as product:
        product.start()
        assert asked(product, watch="a")["error"] == "unknown_campaign"

        product.run("token")
        until(lambda: code(asked(product, watch="a")) == "forbidden", what="the server asks for a token")

        assert "unknown" not in product.run("trigger", "a").stderr
