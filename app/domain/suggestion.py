"""Which name was meant by one that is not there. Pure."""

import difflib
from collections.abc import Iterable

ALIKE = 0.7
"""Of one: two letters of four that are swapped are 0.75."""


def closest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The one of these that `name` is most like, in whatever case; None where none is."""
    by_letters = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), by_letters, 1, cutoff=alike)
    return by_letters[found[0]] if found else None
