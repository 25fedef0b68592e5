"""Migrations stand in one row, numbered as they follow each other."""

import re
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


def test_each_migration_follows_the_one_before_and_is_named_by_its_number() -> None:
    found = []
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        text = path.read_text("utf-8")
        revision = re.search(r'^revision = "(\d+)"$', text, re.MULTILINE)
        before = re.search(r'^down_revision = (?:"(\d+)"|None)$', text, re.MULTILINE)
        assert revision, path.name
        assert before, path.name
        found.append((path.name[:4], revision[1], before[1]))

    numbers = [f"{number:04}" for number in range(1, len(found) + 1)]
    assert found == list(zip(numbers, numbers, [None, *numbers], strict=False))
