"""The README is a page, leads to all others, and each of these says whom it is for."""

import re
from pathlib import Path

import pytest

from tests.house.documents import links, name_of, spans
from tests.house.sources import ROOT

MOST_LINES = 150
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("readme", READMES, ids=name_of)
def test_the_readme_is_a_page(readme: Path) -> None:
    if (lines := len(readme.read_text("utf-8").splitlines())) > MOST_LINES:
        pytest.fail(f"{name_of(readme)} has {lines} lines, {MOST_LINES} are enough; docs/ has room for the rest")


@pytest.mark.parametrize("readme", READMES, ids=name_of)
def test_the_readme_leads_to_every_page(readme: Path) -> None:
    linked = {Path(target).name for target in links(readme.read_text("utf-8"))}

    assert [name_of(page) for page in PAGES if page.name not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_says_in_its_first_sentence_whom_it_is_for(page: Path) -> None:
    paragraphs = page.read_text("utf-8").split("\n\n")
    first = next(each for each in paragraphs[1:] if not each.startswith("English | "))

    if not first.startswith(("For who ", "For whoever ")):
        pytest.fail(f'{name_of(page)} is to begin with "For who …", and begins: {first[:60]}')


def test_whoever_is_woken_by_an_alert_finds_it_in_the_page_for_the_night() -> None:
    alerts = re.findall(r"^ +- alert: (\w+)$", (ROOT / "ops" / "alerts.yml").read_text(), re.M)
    told = spans((ROOT / "docs" / "operating.md").read_text("utf-8"))

    assert len(alerts) > 5
    assert [each for each in alerts if each not in told] == []


def test_a_page_that_a_file_points_to_is_there() -> None:
    rooms = ("app", "engine", "examples", "seed", "migrations", "benchmarks", "ops")
    files = [
        each for room in rooms for end in ("py", "po", "yml", "toml", "sh") for each in (ROOT / room).rglob(f"*.{end}")
    ]
    files += [ROOT / name for name in ("Makefile", "docker-compose.yml", ".env.example", "gateways.example.toml")]
    named = {(file, page) for file in files for page in re.findall(r"\bdocs/[\w/-]+\.md\b", file.read_text("utf-8"))}

    assert len(named) > 10
    assert [f"{name_of(file)}: {page}" for file, page in sorted(named) if not (ROOT / page).is_file()] == []
