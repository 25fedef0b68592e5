"""The source files of the house, read and parsed once."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROOMS = ("engine", "app", "migrations", "seed", "examples", "benchmarks")
"""A room that is not there yet has no files."""


class Source(NamedTuple):
    """A file: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module


def sources(*rooms: str) -> list[Source]:
    """Every Python file of these rooms, or of all."""
    return [source for room in rooms or ROOMS for source in _in_room(room)]


@cache
def _in_room(room: str) -> list[Source]:
    found = []
    for file in sorted((ROOT / room).rglob("*.py")):
        text = file.read_text()
        found.append(Source(str(file.relative_to(ROOT)), text, ast.parse(text, file)))
    return found


def dotted(node: ast.AST) -> str:
    """`os.environ` for that expression; '' for one that is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def names_used(source: Source) -> set[str]:
    """Every dotted name in a file, imports as they are called where they come from."""
    aliases: dict[str, str] = {}
    used = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name] = alias.name
                used.add(alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                used.add(f"{node.module}.{alias.name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node)):
            first, dot, rest = name.partition(".")
            used.add(aliases.get(first, first) + dot + rest)
    return used
