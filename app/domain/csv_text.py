"""Tables as CSV for spreadsheets: RFC 4180, as UTF-8 that begins by saying so, and no cell that is taken for a formula.
Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

BOM = "\ufeff"
"""Without it a spreadsheet takes UTF-8 for something else, and names become unreadable."""
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A text that begins so is calculated by spreadsheets; the last four, which are the first ones in full width, by some
that speak Chinese or Japanese. Source: owasp.org/www-community/attacks/CSV_Injection."""


def lines(rows: Iterable[Sequence[object]]) -> str:
    """A line for each. A text that would be calculated begins with an apostrophe; figures are figures."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([harmless(each) for each in row] for row in rows)
    return text.getvalue()


def harmless(cell: object) -> object:
    """What a spreadsheet shows as it is."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(DANGEROUS) else cell
