"""What docs/gateways.md, docs/templates.md and gateways.example.toml say of an account is what the code says."""

from pathlib import Path

import pytest

from app.gateways.accounts import load
from tests.house.gateways_table import EXAMPLE, GATEWAYS, TEMPLATES_PAGE, renewed


@pytest.mark.parametrize("page", [GATEWAYS, TEMPLATES_PAGE], ids=lambda page: page.name)
def test_the_fields_of_an_account_in_the_docs_are_those_of_the_code(page: Path) -> None:
    if page.read_text() != renewed(page):
        pytest.fail(f"{page.name} is not what the code says; run: python -m tests.house.gateways_table")


def test_the_example_of_a_gateways_file_can_be_read() -> None:
    assert list(load(EXAMPLE)) == ["smpp-a"]
