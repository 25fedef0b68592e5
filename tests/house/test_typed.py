"""What documents tell people to type can be typed."""

from pathlib import Path

import pytest

from app.cli.main import COMMANDS
from tests.house.documents import DOCUMENTS, name_of, tables
from tests.house.sources import ROOT
from tests.house.typed import faults, options_of, typed

TABLE = ROOT / "docs" / "commands.md"
OURS = [document for document in DOCUMENTS if document.parent.name != "engine"]
"""What that one says is run by a test of its own."""
ROWS = [row for table in tables(TABLE.read_text()) for row in table.rows if row[0].startswith("`python -m ")]


@pytest.mark.parametrize("document", OURS, ids=name_of)
def test_every_command_in_a_document_is_there_with_its_options(document: Path) -> None:
    wrong = [f"{line.strip()}\n    {fault}" for line in typed(document.read_text("utf-8")) for fault in faults(line)]

    if wrong:
        pytest.fail(f"{name_of(document)} names what there is not:\n" + "\n".join(wrong))


def test_every_command_has_a_row_in_the_table_of_commands() -> None:
    named = [row[0].strip("`").split()[3] for row in ROWS if row[0].startswith("`python -m app ")]

    assert sorted(named) == sorted(COMMANDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_option_in_the_table_of_commands_is_one_of_its_command(row: list[str]) -> None:
    named = {span.split()[0] for span in row[1].split("`")[1::2] if span.startswith("--")}

    assert named - options_of(row[0].strip("`")) == set()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("python -m app triger spring", "python -m app has no command triger"),
        ("python -m app opt-outs ad 13800000001", "python -m app opt-outs has no ad, but"),
        ("docker compose exec server python -m app trigger x --wacht", "No such option: --wacht"),
        ("python -m app tokens ad ci", "python -m app tokens has no ad, but"),
        ("python -m app retry spring --state", ""),
        ("python -m app retry spring --state lost", "python -m app retry has no lost, but"),
        ("python -m app pause spring may", "python -m app pause takes no may"),
        ("python -m app gateways  # all", ""),
        ("X=1 python -m app serve >log 2>&1 & make demoo", "there is no make demoo"),
        ("make demo CUSTOMERZ=1", "make reads no CUSTOMERZ"),
        ("docker compose --profile smp up", "docker compose has no profile smp"),
        ("pip install 'sms-campaigns[webb]'", "there is no extra webb"),
        ("python -m examples.smsc --prot 1", "examples/smsc.py knows no --prot"),
        ("python benchmarks/nothing.py", "there is no benchmarks/nothing.py"),
    ],
)
def test_a_command_that_is_not_there_is_found(line: str, fault: str) -> None:
    found = faults(line)

    assert [each for each in found if fault not in each] == []
    assert len(found) == bool(fault)
