"""docs/house.md names every room."""

import re

from tests.house.documents import blocks
from tests.house.sources import ROOT

PLAN = blocks((ROOT / "docs" / "house.md").read_text(), "text")[0]
NO_ROOMS = {"locale"}
"""Texts, no code."""


def test_the_plan_of_the_house_has_every_room() -> None:
    rooms = {file.parent.name for house in ("engine", "app") for file in (ROOT / house).glob("*/__init__.py")}

    assert rooms - NO_ROOMS - set(re.findall(r"\b(\w+)/", PLAN)) == set()


def test_the_plan_of_the_house_has_no_room_that_is_not_there() -> None:
    there = {path.name for path in [*ROOT.iterdir(), *ROOT.glob("*/*"), *ROOT.glob("app/gateways/*")] if path.is_dir()}

    assert set(re.findall(r"\b(\w+)/", PLAN)) - there == set()
