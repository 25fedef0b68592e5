"""`python -m app tokens`: what programs show in place of a password."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from app import config, console
from app.access import tokens as use_case
from app.catalogue import say
from app.cli import views
from app.cli.ages import age
from app.cli.shared import Json, opened
from app.console import out
from app.domain.rights import Scope
from app.store import tokens as store
from app.store.tokens import Token

NEVER = timedelta(0)


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    ADD = "add"
    REVOKE = "revoke"


def _lasting(text: str) -> timedelta:
    return NEVER if text == "never" else age(text)


def tokens(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="add, revoke: which one.")] = None,
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="add: what it is good for; may be given several times.")
    ] = None,
    expires: Annotated[
        timedelta, typer.Option(parser=_lasting, metavar="AGE", help="add: for how long, as 90d, 12w, 48h, or never.")
    ] = "90d",  # type: ignore[assignment]  # the parser gets it
    as_json: Json = False,
) -> None:
    """Tokens for the trigger's port and the API, each with a name, scopes and an end. A new one is printed once, alone
    on stdout; one that is revoked is refused within seconds, and no server is started anew for either."""
    if (name is None) != (action is Action.LIST):
        raise typer.BadParameter(f"{action} takes {'no' if name else 'a'} name")
    if (action is Action.ADD) != bool(scopes):
        raise typer.BadParameter("add takes at least one --scope" if action is Action.ADD else "--scope is for add")
    database = opened(config.load())
    if action is Action.ADD:
        until = None if expires == NEVER else datetime.now(UTC) + expires
        with database.connect() as connection:
            is_first = not store.every(connection)
        token = use_case.add(database, name or "", scopes or [], until)
        out.print(token)
        if is_first:
            console.err.print(say("tokens.first"))
        console.err.print(say("tokens.added" if until else "tokens.added_for_good", name=name, until=_moment(until)))
    elif action is Action.REVOKE:
        done = use_case.revoke(database, name or "")
        out.print(say("tokens.revoked" if done else "tokens.revoked_before", name=name))
    else:
        with database.connect() as connection:
            found = store.every(connection)
        _list(found, as_json=as_json)


def _list(found: list[Token], *, as_json: bool) -> None:
    if as_json:
        console.print_json([_facts(each) for each in found])
    elif found:
        rows = [
            {
                "name": each.name,
                "token_state": say(f"token_state.{_state(each)}"),
                "scopes": " ".join(sorted(each.scopes)),
                "made": _moment(each.created_at),
                "expires": _moment(each.expires_at),
                "used": _moment(each.used_at),
            }
            for each in found
        ]
        out.print(views.table(rows, ("made",)))
    else:
        out.print(say("tokens.none"))


def _facts(each: Token) -> dict[str, object]:
    moments = {"created_at": each.created_at, "expires_at": each.expires_at, "revoked_at": each.revoked_at}
    moments["used_at"] = each.used_at
    return {
        "name": each.name,
        "state": _state(each),
        "scopes": sorted(each.scopes),
        **{name: at and at.isoformat(timespec="seconds") for name, at in moments.items()},
    }


def _state(each: Token) -> str:
    if each.revoked_at is not None:
        return "revoked"
    return "in_force" if each.is_in_force(datetime.now(UTC)) else "expired"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
