"""`python -m seed`: fill DATABASE_URL with made-up customers, the same ones for the same seed."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Engine

from app import config, console
from app.catalogue import say
from app.console import err, out
from app.sentence import Sentence
from app.store.database import open_configured
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
        err.print(say("seed.interrupted", left=_left(reset=reset, is_emptied=bool(emptied))))
        raise typer.Exit(interruption.exit_status) from None


def _left(*, reset: bool, is_emptied: bool) -> Sentence:
    """What an interrupted run leaves."""
    if is_emptied:
        return Sentence("seed.left_emptied")
    if reset:
        return Sentence("seed.left_reset")
    return Sentence("seed.left")


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
                held=interruption.held,
            )
    finally:
        engine.dispose()
    out.print(_summary(filled))


def _ask_before_deleting(engine: Engine, interruption: Interruption) -> None:
    there = loader.count_customers(engine)
    if not there:
        return
    if not sys.stdin.isatty():
        raise ResetNotConfirmed("seed_not_confirmed", count=there)
    try:
        agreed = typer.confirm(say("seed.question", count=there))
    except typer.Abort:  # Ctrl-C or the end of the input, in the line of the question
        out.print()
        interruption.check()
        agreed = False
    if not agreed:
        raise ResetNotConfirmed("seed_not_confirmed.nothing_changed")


def _summary(filled: loader.Filled) -> str:
    if filled.there:
        return say("seed.there", count=filled.there)
    rate = filled.added / filled.took_s if filled.took_s else 0
    return say("seed.done", count=filled.added, took_s=filled.took_s, rate=rate)


if __name__ == "__main__":
    console.run(cli)
