"""`python -m migrations`: bring the schema to its newest state; `--to` and `status`."""

from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.catalogue import say
from app.console import out
from app.store.database import open_configured
from migrations import gender_check, schema

cli = console.commands("Make and upgrade the tables in DATABASE_URL.")


def _open() -> Engine:
    return open_configured(config.load())


@cli.callback(invoke_without_command=True)
def migrate(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="Revision to go to, up or down; `base` drops every table.")] = "head",
) -> None:
    """Upgrade to the newest revision; does nothing when the schema is there already."""
    if context.invoked_subcommand:
        return
    known = ["base", *schema.revisions(), "head"]
    if to not in known:
        raise typer.BadParameter(f"{to} is none of {', '.join(known)}", param_hint="--to")
    with _open().connect() as connection:
        before = schema.status(connection)
        connection.rollback()
        target = before.head if to == "head" else to
        if known.index(target) < known.index(before.current or "base"):
            schema.downgrade(connection, target)
        else:
            schema.upgrade(connection, target)
        after = schema.status(connection)
        refusal = gender_check.refusal(connection) if after.is_current else None
    if before == after:
        out.print(say("schema.there", current=after.current or "base"))
    else:
        out.print(say("schema.went", before=before.current or "base", after=after.current or "base"))
    if refusal:
        console.err.print(say("warning", what=refusal))


@cli.command()
def status() -> None:
    """Show the revision of the database and the newest one. Exit status 1 when they differ."""
    with _open().connect() as connection:
        now = schema.status(connection)
    out.print(say("schema.status", current=now.current or "base", head=now.head))
    raise typer.Exit(0 if now.is_current else 1)


if __name__ == "__main__":
    console.run(cli)
