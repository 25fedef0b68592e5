"""`python -m app import`: people from a file, as an audience."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from app import config, console
from app.catalogue import say
from app.cli.shared import opened
from app.console import out
from app.errors import FileUnusable
from app.importing.into import How, fill
from app.importing.people_file import PeopleFile
from app.importing.rows import Bad, Row, Rows
from app.store.customers import collect_rarely
from app.store.database import open_configured


def import_people(
    file: Annotated[Path, typer.Argument(help="CSV or TSV, UTF-8 or GB18030; names of columns in its first line.")],
    into: Annotated[str, typer.Option(help="The table; it becomes an audience for `trigger --audience`.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of a table that is there.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to a table that is there.")] = False,
    encoding: Annotated[str | None, typer.Option(help="utf-8 or gb18030, where it is taken for the other one.")] = None,
) -> None:
    """Make a table of people out of a file: all of them or, killed or refused, none. Lines that cannot be read are left
    out and listed in FILE.bad; exit status 1 where there are some."""
    if replace and append:
        raise typer.BadParameter("--replace and --append exclude each other")
    if encoding not in {None, "utf-8", "gb18030"}:
        raise typer.BadParameter("--encoding is utf-8 or gb18030")
    settings = config.load()
    opened(settings).dispose()
    collect_rarely()
    how = How.APPEND if append else How.REPLACE if replace else How.NEW
    database = open_configured(settings, local_infile=True)
    with PeopleFile(file, encoding) as people, _BadLines(file) as bad:
        for theirs, ours in zip(people.columns.header, people.columns.names, strict=True):
            out.print(say("import.column", theirs=theirs, ours=ours))
        out.print(say("import.encoding", encoding=people.encoding.upper()))
        try:
            with Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console.err) as bar:
                shown = bar.add_task("", total=people.size)

                def pages(first_id: int) -> Iterator[list[Row]]:
                    for page in Rows(people.columns, first_id).pages(people.parts()):
                        bad.note(page.bad)
                        yield page.rows
                        bar.update(shown, completed=people.read_bytes)

                count = fill(database, into, how, people.columns, pages)
        finally:
            database.dispose()
    out.print(say("import.done", count=count, audience=into))
    if bad.count:
        out.print(say("import.bad", count=bad.count, path=bad.path))
        raise typer.Exit(1)


class _BadLines:
    """The file of lines that were left out; it is made with the first of them, closed to others."""

    def __init__(self, source: Path) -> None:
        self.path = source.with_name(f"{source.name}.bad")
        self.count = 0
        self._descriptor: int | None = None

    def __enter__(self) -> "_BadLines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def note(self, bad: Iterable[Bad]) -> None:
        """Raises FileUnusable."""
        lines = "".join(
            f"{each.line}\t{say(f'import.bad.{each.reason}')}\t{' '.join(each.value.split())}\n" for each in bad
        )
        if not lines:
            return
        self.count += lines.count("\n")
        try:
            if self._descriptor is None:
                how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self.path, how, 0o600)
            os.write(self._descriptor, lines.encode())
        except OSError as error:
            raise FileUnusable("file_unusable", path=self.path, why=error.strerror) from error
