"""Examines how settings are written: what is misspelt has no effect, and nothing else would say so."""

import difflib
from collections.abc import Iterator

from app import config
from app.config import Config
from app.doctor.finding import Finding, ok, warning


def examine() -> Iterator[Finding]:
    """One finding for each name that nobody reads and each line of `.env` that sets nothing, or one that is well."""
    unreadable = config.unreadable_lines()
    for line in unreadable:
        yield warning("settings", f".env, line {line} cannot be read", "write it as NAME=value")
    known = [name.upper() for name in Config.model_fields]
    unknown = config.unknown()
    for name in unknown:
        close = difflib.get_close_matches(name.upper(), known, 1, cutoff=0.8)
        advice = f"did you mean {close[0]}?" if close else "remove it; README.md has a table of all"
        yield warning("settings", f"{name} is not a setting", advice)
    if not unknown and not unreadable:
        yield ok("settings", "every name is a setting")
