"""How a command is told whom of an audience is meant, and tells the server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app import config
from app.cli.shared import opened
from app.config import Config
from app.domain.choice import Choice, Sample, These
from app.store import id_lists
from app.store.faults import write

OnlyIds = Annotated[
    Path | None,
    typer.Option("--only-ids", help="Only those of the audience whose ids are in this file, one in a line."),
]
SampleOf = Annotated[
    int | None,
    typer.Option("--sample", min=1, help="Only so many of the audience, chosen by the campaign's name."),
]

MOST_IN_REQUEST = 2_000
"""Ids that a trigger bears itself: some 24 KB. Of more it names a list in the database."""


def choice_of(only_ids: Path | None, sample: int | None) -> Choice | None:
    """None where everybody is meant. Raises FileUnusable."""
    if only_ids is not None and sample is not None:
        raise typer.BadParameter("--only-ids and --sample exclude each other")
    if sample is not None:
        return Sample(sample)
    if only_ids is None:
        return None
    config.tune_numpy()
    from app.importing.ids_file import read_ids  # noqa: PLC0415  it needs numpy

    return These(read_ids(only_ids))


def chosen(database: Engine, audience: str, choice: Choice | None, name: str) -> tuple[Sequence[int] | None, int]:
    """Ids of whom it means now, None for everybody; and how many that were given nobody has. `name`: of a campaign,
    by which a sample goes."""
    if choice is None:
        return None, 0
    config.tune_numpy()
    from app.campaigns.choosing import choose  # noqa: PLC0415  it needs numpy

    ids = choose(database, audience, choice, name)
    return ids, len(choice.ids) - len(ids) if isinstance(choice, These) else 0


@contextmanager
def named(settings: Config, choice: Choice | None) -> Iterator[dict[str, Any]]:
    """The fields of a Trigger that say so. Many ids are in the database until the end of the block; the list of a
    command that is killed is removed by a later one."""
    if choice is None:
        yield {}
    elif isinstance(choice, Sample):
        yield {"sample": choice.count}
    elif len(choice.ids) <= MOST_IN_REQUEST:
        yield {"only_ids": tuple(choice.ids)}
    else:
        database, ids = opened(settings), choice.ids
        name = write(database, lambda connection: id_lists.insert(connection, ids))
        try:
            yield {"only_list": name}
        finally:
            with suppress(DBAPIError):  # what the server said counts
                write(database, lambda connection: id_lists.remove(connection, name))
            database.dispose()
