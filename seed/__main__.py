"""`python -m seed`: fill DATABASE_URL with made-up customers, the same ones for the same seed."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.console import err, out
from app.store.database import open_configured
from app.wording import counted
from seed import customers, loader, profile, progress
from seed.errors import ResetNotConfirmed
from seed.interruption import Interruption

cli = console.commands("Fill the customers table in DATABASE_URL with people who do not exist.")


@cli.command()
def seed(
    count: Annotated[int, typer.Option("--customers", min=0, help="How many; their ids are 1 to this.")] = 2_000_000,
    random_seed: Annotated[
        int, typer.Option(min=0, help="The same number gives the same people on every database.")
    ] = 42,
    reset: Annotated[bool, typer.Option("--reset", help="Delete the customers that are there first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --reset deletes.")] = False,
) -> None:
    """Migrate, then write the customers, all or none. A table with rows in it is left as it is."""
    interruption = Interruption()
    emptied: list[bool] = []
    try:
        _seed(count, random_seed, interruption, reset=reset, ask=not yes, on_emptying=lambda: emptied.append(True))
    except KeyboardInterrupt:
        err.print(f"interrupted: {_left(reset=reset, is_emptied=bool(emptied))}; run it again")
        raise typer.Exit(interruption.exit_status) from None


def _left(*, reset: bool, is_emptied: bool) -> str:
    """What an interrupted run leaves."""
    if is_emptied:
        return "the customers of before are deleted, and the new ones are all there or none is"
    if reset:
        return "the customers are those of before, or all the new ones"
    return "the customers are all there or none is"


def _seed(
    count: int,
    random_seed: int,
    interruption: Interruption,
    *,
    reset: bool,
    ask: bool,
    on_emptying: Callable[[], None],
) -> None:
    people = profile.zh_cn()
    if count > customers.limit(people):
        most = customers.limit(people)
        raise typer.BadParameter(f"there are only {most:,} different mobiles", param_hint="--customers")
    engine = open_configured(config.load(), local_infile=True)
    try:
        if reset and ask:
            _ask_before_deleting(engine, interruption)
        with progress.shown(count) as on_added:
            filled = loader.fill(
                engine,
                customers.chunks(people, random_seed, count),
                reset=reset,
                say=out.print,
                on_added=on_added,
                on_emptying=on_emptying,
                check=interruption.check,
            )
    finally:
        engine.dispose()
    out.print(_summary(filled))


def _ask_before_deleting(engine: Engine, interruption: Interruption) -> None:
    there = loader.count_customers(engine)
    if not there:
        return
    if not sys.stdin.isatty():
        raise ResetNotConfirmed(f"--reset would delete {counted(there, 'customer')}; add --yes to agree")
    try:
        agreed = typer.confirm(f"Delete {counted(there, 'customer')}?")
    except typer.Abort:  # Ctrl-C or the end of the input, in the line of the question
        out.print()
        interruption.check()
        agreed = False
    if not agreed:
        raise ResetNotConfirmed("nothing was deleted, nothing was changed")


def _summary(filled: loader.Filled) -> str:
    if filled.there:
        there = counted(filled.there, "customer is", "customers are")
        return f"{there} there already; nothing was changed (--reset puts others in their place)"
    rate = filled.added / filled.took_s if filled.took_s else 0
    return f"{counted(filled.added, 'customer')} in {filled.took_s:.1f} s, {rate:,.0f} rows/s"


if __name__ == "__main__":
    console.run(cli)
