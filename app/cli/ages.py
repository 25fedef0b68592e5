"""How a length of time is written on the command line: 90d, 12w, 48h."""

import re
from datetime import timedelta

import typer

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,5})([hdw])")


def age(text: str) -> timedelta:
    """Raises typer.BadParameter."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise typer.BadParameter("a number with h, d or w behind it, as 90d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
