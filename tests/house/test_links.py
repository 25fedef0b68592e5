"""Where documents point to, there is something."""

import re
from pathlib import Path

import pytest

from tests.house.documents import DOCUMENTS, headings, links, name_of


def anchors(document: Path) -> set[str]:
    """Of its headings, as they are made where it is shown: small letters, dashes for blanks, no other signs."""
    found = [words for _, words in headings(document.read_text("utf-8"))]
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    for target in links(document.read_text("utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (document.parent / file).resolve() if file else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target
