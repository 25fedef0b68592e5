"""The name of an audience: a table or a view of people to greet. Pure."""

import unicodedata

from app.errors import BadRequest

CUSTOMERS = "customers"
"""Whom a campaign greets that names no other audience."""
MOST_LETTERS = 64
"""Of a table's name in MySQL. Source: MySQL Reference Manual, Identifier Length Limits."""
_HIGHEST = "\uffff"
"""MySQL has no names with letters beyond. Source: MySQL Reference Manual, Schema Object Names."""


def check_audience_name(name: str) -> str:
    """The name as it is. Raises BadRequest unless it is 1 to 64 letters of any script with their marks, digits, `_` and
    `-`, and begins with a letter, a digit or `_`: nothing that means something within a statement."""
    is_name = 1 <= len(name) <= MOST_LETTERS and all(map(_is_allowed, name)) and unicodedata.category(name[0])[0] != "M"
    if not is_name or name[0] == "-":
        raise BadRequest("bad_audience.name")
    return name


def _is_allowed(letter: str) -> bool:
    category = unicodedata.category(letter)
    return letter <= _HIGHEST and (category[0] in "LM" or category == "Nd" or letter in "_-")
