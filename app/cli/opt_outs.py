"""`python -m app opt-outs`: numbers to which nothing is sent."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app import config, console
from app.campaigns import opt_outs as use_case
from app.catalogue import say
from app.cli.shared import opened
from app.console import out
from app.domain.mobile import mask_all, normalise
from app.errors import BadNumber, FileUnusable
from app.store import opt_outs as store


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"
    IMPORT = "import"
    EXPORT = "export"


def opt_outs(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    what: Annotated[
        str | None, typer.Argument(metavar="[NUMBER|FILE]", help="add, remove: a number; import: a file of them.")
    ] = None,
    signature: Annotated[
        str, typer.Option(help="Of the gateways that it is about, as in their file; * for all.")
    ] = store.EVERYBODY,
) -> None:
    """Show or change which numbers get nothing. Gateways without a signature have `-`; export writes numbers whole."""
    if (what is None) == (action in {Action.ADD, Action.REMOVE, Action.IMPORT}):
        raise typer.BadParameter(f"{action} takes {'no' if what else 'a'} number or file")
    database = opened(config.load())
    if action in {Action.LIST, Action.EXPORT}:
        for page in store.pages(database):
            lines = "".join(f"{each.mobile},{each.signature},{each.since:%Y-%m-%d},{each.source}\n" for each in page)
            console.write((lines if action is Action.EXPORT else mask_all(lines)).encode())
    elif action is Action.REMOVE:
        out.print(say("opt_outs.removed", count=use_case.remove(database, signature, _number(what or ""))))
    elif action is Action.ADD:
        out.print(say("opt_outs.added", count=use_case.add(database, signature, _number(what or ""))))
    else:
        # before the first is added, so that a file with a fault changes nothing
        found = list(map(_number, _lines(Path(what or ""))))
        out.print(say("opt_outs.added", count=use_case.take_in(database, signature, found)))


def _number(text: str) -> int:
    mobile = normalise(text)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(text[:40]))
    return int(mobile)


def _lines(path: Path) -> Iterator[str]:
    """The number of each line, up to a comma, as `export` writes it."""
    try:
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if number := line.partition(",")[0].strip():
                yield number
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnusable("file_unusable", path=path, why=getattr(error, "strerror", error)) from error
