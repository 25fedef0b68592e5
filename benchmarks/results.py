"""What was measured, as tables: on the console, and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a heading and a sentence on how to read it."""

    title: str
    note: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def size(bytes_: int) -> str:
    for unit, name in ((1_000_000, "MB"), (1024, "KB")):
        if bytes_ >= unit and not bytes_ % unit:
            return f"{bytes_ // unit} {name}"
    return f"{bytes_} B"


def show(console: Console, sections: Sequence[Section]) -> None:
    for section in sections:
        table = Table(*section.columns, title=section.title, title_justify="left", caption=section.note)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)
    console.print(f"{machine.describe()}\n{machine.command()}", soft_wrap=True)


def write(path: Path, how: str, sections: Sequence[Section]) -> None:
    """Markdown with the machine, the versions and the command above the tables."""
    lines = ["# What the engine does in a second", "", f"`{machine.command()}` on {machine.describe()}.", "", how]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.note, ""]
        lines += [_line(section.columns), _line(["---"] * len(section.columns)), *map(_line, section.rows)]
    path.write_text("\n".join(lines) + "\n")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
