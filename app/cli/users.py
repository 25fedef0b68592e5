"""`python -m app users`: who may log in to the pages."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app import config, console
from app.access import passwords
from app.access import users as use_case
from app.catalogue import say
from app.cli import views
from app.cli.shared import Json, opened
from app.console import out
from app.domain.rights import Role
from app.errors import BadPassword, FileUnusable
from app.store import users as store
from app.store.users import User


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    ADD = "add"
    PASSWD = "passwd"  # noqa: S105
    ROLE = "role"
    DISABLE = "disable"
    ENABLE = "enable"


_WITH_ROLE = {Action.ADD, Action.ROLE}
_WITH_PASSWORD = {Action.ADD, Action.PASSWD}


def users(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Who.")] = None,
    role: Annotated[Role | None, typer.Option(help="add, role: what they may do.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="add, passwd: its first line, instead of asking; - is stdin.")
    ] = None,
    as_json: Json = False,
) -> None:
    """People who may look at the pages, as viewer, operator or admin. A password is asked for, twice and without an
    echo; whoever gets another one, or is disabled, has to leave at once."""
    if (name is None) != (action is Action.LIST):
        raise typer.BadParameter(f"{action} takes {'no' if name else 'a'} name")
    if (role is None) != (action not in _WITH_ROLE):
        raise typer.BadParameter(f"{action} takes {'no' if role else 'a'} --role")
    if password_file is not None and action not in _WITH_PASSWORD:
        raise typer.BadParameter(f"{action} takes no --password-file")
    database = opened(config.load())
    who = use_case.in_one_form(name or "")
    if action is Action.LIST:
        with database.connect() as connection:
            _list(store.every(connection), as_json=as_json)
    elif action is Action.ADD and role:
        added = use_case.add(database, who, role, _password(who, password_file))
        out.print(say("users.added", name=added, role=say(f"role.{role}")))
    elif action is Action.PASSWD:
        count = use_case.change_password(database, who, _password(who, password_file))
        out.print(say("users.password", name=who, count=count))
    elif action is Action.ROLE and role:
        out.print(say("users.role" if use_case.set_role(database, who, role) else "users.as_before", name=who))
    elif action is Action.DISABLE:
        out.print(say("users.disabled" if use_case.disable(database, who) else "users.as_before", name=who))
    else:
        out.print(say("users.enabled" if use_case.enable(database, who) else "users.as_before", name=who))


def _password(name: str, file: Path | None) -> str:
    """Raises BadPassword here already, so that a person is told before they type it again."""
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise BadPassword("bad_password.nobody_to_ask", name=name)
    password: str = typer.prompt(say("users.ask_password"), hide_input=True)
    passwords.check(password)
    typer.prompt(say("users.ask_again"), hide_input=True, value_proc=lambda again: _same(again, password))
    return password


def _same(again: str, password: str) -> str:
    if again != password:
        raise typer.BadParameter(say("users.not_the_same"))
    return again


def _first_line(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnusable("file_unusable", path=file, why=getattr(error, "strerror", error)) from error
    return text.split("\n", 1)[0].removesuffix("\r")


def _list(found: list[User], *, as_json: bool) -> None:
    if as_json:
        facts = [
            {
                "name": each.name,
                "role": each.role,
                "created_at": each.created_at.isoformat(timespec="seconds"),
                "disabled_at": each.disabled_at and each.disabled_at.isoformat(timespec="seconds"),
            }
            for each in found
        ]
        console.print_json(facts)
    elif found:
        rows = [
            {
                "name": each.name,
                "role": say(f"role.{each.role}"),
                "made": f"{each.created_at:%Y-%m-%d %H:%M} UTC",
                "disabled": f"{each.disabled_at:%Y-%m-%d %H:%M} UTC" if each.disabled_at else "",
            }
            for each in found
        ]
        out.print(views.table(rows, ("made",)))
    else:
        out.print(say("users.none"))
