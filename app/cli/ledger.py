"""`python -m app ledger`."""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import set_cell_size

from app import config, console
from app.audit import exports
from app.audit.exports import MESSAGES, Export, Page, message_row, moment
from app.audit.ledger_rows import Row, pages
from app.campaigns.snapshot import snapshot
from app.catalogue import say
from app.cli.shared import Json, Name, opened
from app.console import out
from app.domain.campaign import LOG, check_name
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all
from app.errors import FileUnusable, NoLedger

WIDTHS = {"customer": 11, "mobile": 12, "parts": 6, "state": 18, "submitted": 24, "provider_id": 20, "error": 0}
"""Of the columns on a terminal, in cells. All rows are not there at once, so nobody knows which is the longest."""


def ledger(
    name: Name,
    state: Annotated[Delivery | None, typer.Option("--state", help="Only messages in this state.")] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all of it into a file, with whole mobiles.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what became of each customer's message in a campaign that goes to a network; mobiles are masked, but in a
    file."""
    database = opened(config.load())
    now = snapshot(database, check_name(name))
    if now.campaign.gateway == LOG:
        raise NoLedger("no_ledger", campaign=now.campaign.name)
    now.campaign.check_whole()
    found = pages(database, now, state)
    if file is not None:
        count = _write(file, exports.messages(database, now, state, masked=False))
        out.print(say("ledger.written", count=count, path=file))
    elif as_json:
        _print_json(found, now.campaign.gateway)
    else:
        console.write(_line({column: say(f"column.{column}") for column in WIDTHS}).encode())
        for page in found:
            console.write("".join(map(_shown, page)).encode())


def _write(path: Path, export: Export) -> int:
    """How many. The file is there as a whole or as it was, and for nobody else to read."""
    count = 0

    def counted(pages: Iterator[Page]) -> Iterator[Page]:
        nonlocal count
        for page in pages:
            count += len(page)
            yield page

    try:
        descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(replace(export, pages=counted(export.pages)).as_csv())
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileUnusable("file_unusable", path=path, why=error.strerror) from error
    return count


def _print_json(found: Iterator[list[Row]], gateway: str) -> None:
    """A list, row by row, for there may be millions."""
    before = "[\n"
    for page in found:
        for row in page:
            facts = dict(zip(MESSAGES, message_row(row, gateway, masked=True), strict=True))
            console.write(f"{before}{json.dumps(facts)}".encode())
            before = ",\n"
    console.write(b"[]\n" if before == "[\n" else b"\n]\n")


def _shown(row: Row) -> str:
    return _line({
        "customer": str(row.customer_id),
        "mobile": mask_all(str(row.mobile)),
        "parts": str(row.parts),
        "state": say(f"delivery.{row.state}"),
        "submitted": moment(row.submitted_at)[:23],
        "provider_id": row.provider_id,
        "error": row.error,
    })  # fmt: skip


def _line(cells: dict[str, str]) -> str:
    shown = [
        cells[each] if len(cells[each]) >= width else set_cell_size(cells[each], width)
        for each, width in WIDTHS.items()
    ]
    return " ".join(shown).rstrip() + "\n"
