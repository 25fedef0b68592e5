"""Migrations follow each other in one row, each named by its number."""

import re
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


def test_each_migration_follows_another_one_and_is_named_by_its_number() -> None:
    before: dict[str, str | None] = {}
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        text = path.read_text("utf-8")
        revision = re.search(r'^revision = "(\d+)"$', text, re.MULTILINE)
        follows = re.search(r'^down_revision = (?:"(\d+)"|None)$', text, re.MULTILINE)
        assert revision, path.name
        assert follows, path.name
        assert path.name[:4] == revision[1], path.name
        before[revision[1]] = follows[1]

    (last,) = before.keys() - before.values()
    row: list[str | None] = [last]
    while (each := row[-1]) is not None:
        row.append(before[each])
    assert len(row) == len(before) + 1, "they are not one row"
