"""The catalogues of app/locale, as Babel reads them; `python -m tests.house.catalogues` makes the .mo of each.

The .mo are in the repository: an editable install, a wheel and the image have them without a step of their own.
"""

import gettext
import io
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tests.house.sources import ROOT

FOLDER = ROOT / "app" / "locale"
LANGUAGES = ("en", "zh")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Instead of the minute in which a .mo is made, so that the same sentences make the same bytes."""


def source(language: str) -> Path:
    """What people write."""
    return FOLDER / language / "LC_MESSAGES" / "app.po"


@cache
def read(language: str) -> Catalog:
    """Raises what Babel raises for a file that it cannot read."""
    with source(language).open("rb") as file:
        found = read_po(file, locale=language, abort_invalid=True)
    found.creation_date = BEGINNING
    return found


@cache
def sentences(language: str) -> dict[str, list[str]]:
    """By code: the sentence, or that for one and that for several."""
    found = {}
    for message in read(language):
        if message.id:
            code = message.id if isinstance(message.id, str) else message.id[0]
            found[code] = [message.string] if isinstance(message.string, str) else [*message.string]
    return found


def compiled(language: str) -> bytes:
    """What the .mo is to be."""
    file = io.BytesIO()
    write_mo(file, read(language))
    return file.getvalue()


def entries(compiled: bytes) -> dict[object, str]:
    """What a .mo says, without its head, in which each version of Babel names itself."""
    found = dict(vars(gettext.GNUTranslations(io.BytesIO(compiled)))["_catalog"])
    found.pop("", None)
    return found


if __name__ == "__main__":
    for each in LANGUAGES:
        source(each).with_suffix(".mo").write_bytes(compiled(each))
