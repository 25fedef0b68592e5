"""Where the code says something: every sentence by its code, and the facts that it is given there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.house.sources import ROOT, Source, sources

ROOMS = ("app", "seed", "migrations")
MAKERS = {"say", "Sentence", "_differ", "Wrong"}
"""Functions whose first argument is a code, besides the errors."""
PUT_BEFORE = {"_wrong": "setting.", "ok": "check.", "warning": "check.", "problem": "check."}
"""Functions whose first argument is the rest of a code, after this."""


@dataclass(frozen=True)
class Use:
    """One place. `code` ends in * where the rest of it is known at run time alone; `facts` are None where some are."""

    place: str
    code: str
    facts: frozenset[str] | None


def uses() -> list[Use]:
    """All of them."""
    files = sources(*ROOMS)
    errors = _errors(files)
    return [use for source in files for use in _uses(source, errors)] + _in_templates()


def _in_templates() -> list[Use]:
    """Of pages; `say("state." ~ it)` has the rest of a code at run time."""
    return [
        Use(file.name, said[1] + ("*" if said[2] else ""), None)
        for file in sorted((ROOT / "app" / "web" / "templates").glob("*.html"))
        for said in re.finditer(r'\bsay\("([^"]+)"( ~)?', file.read_text())
    ]


def _errors(files: list[Source]) -> set[str]:
    """Names of AppError and all that come from it, but those that choose the code themselves."""
    classes = [node for source in files for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    taking = [each for each in classes if not any(getattr(part, "name", "") == "__init__" for part in each.body)]
    found = {"AppError"}
    while more := {each.name for each in taking if {ast.unparse(base) for base in each.bases} & found} - found:
        found |= more
    return found


def _uses(source: Source, errors: set[str]) -> Iterator[Use]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        is_parent = name == "__init__" and source.path.endswith("errors.py")
        if name in PUT_BEFORE and isinstance(node.func, ast.Name):
            yield from (
                Use(f"{source.path}:{node.lineno}", PUT_BEFORE[name] + code, None) for code in _codes(node.args[0])
            )
            continue
        if name not in MAKERS | errors and not is_parent:
            continue
        facts = (
            None if any(each.arg is None for each in node.keywords) else frozenset(str(k.arg) for k in node.keywords)
        )
        for code in _codes(node.args[0]):
            yield Use(f"{source.path}:{node.lineno}", code, facts)


def _codes(argument: ast.expr) -> list[str]:
    if isinstance(argument, ast.Constant):
        return [argument.value] if isinstance(argument.value, str) else []
    if isinstance(argument, ast.IfExp):
        return _codes(argument.body) + _codes(argument.orelse)
    if isinstance(argument, ast.JoinedStr):
        first = argument.values[0]
        return [f"{first.value}*"] if isinstance(first, ast.Constant) else []
    return []
