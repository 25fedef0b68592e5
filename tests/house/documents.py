"""The documents that people read, and the parts of one: prose, blocks of code, headings, tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.house.sources import ROOT

DOCUMENTS = [
    *sorted(ROOT.glob("README*.md")),
    ROOT / "engine" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_SPAN = re.compile(r"`([^`\n]+)`")


class Table(NamedTuple):
    """One table: its head, and the cells of each row below."""

    head: list[str]
    rows: list[list[str]]


def name_of(document: Path) -> str:
    """From the root, as one would type it."""
    return str(document.relative_to(ROOT))


def prose(text: str) -> str:
    """Without the blocks of code."""
    return _FENCE.sub("", text)


def blocks(text: str, *languages: str) -> list[str]:
    """The blocks of code in these languages, or all."""
    return [code for language, code in _FENCE.findall(text) if not languages or language in languages]


def spans(text: str) -> list[str]:
    """What stands between backticks in a line."""
    return _SPAN.findall(prose(text))


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each."""
    return [(len(level), words) for level, words in re.findall(r"^(#+) (.+)$", prose(text), re.M)]


def links(text: str) -> list[str]:
    """Where each link and picture leads."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def tables(text: str) -> list[Table]:
    """Every table, in the order in which they stand."""
    return list(_tables(prose(text)))


def _tables(text: str) -> Iterator[Table]:
    for lines in re.findall(r"(?:^\|.*\|$\n?)+", text, re.M):
        head, _, *rows = (_cells(line) for line in lines.splitlines())
        yield Table(head, rows)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
