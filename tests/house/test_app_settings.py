"""What docs/ and .env.example say of settings, placeholders and reasons is what the code says."""

import re
from pathlib import Path

import pytest

from app import config
from app.config import Config
from tests.house.app_settings import COMPOSE, EXAMPLE, SETTINGS, TABLES, example, of_compose, renewed, settings

HOST_ALONE = {
    "SMS_WEB_HOST",
    "SMS_WEB_PORT",
    "SMS_WEB_PUBLISHED",
    "SMS_WEB_PROXY",
    "SMS_WEB_NAMES",
    "SMS_TLS_CA",
    "SMS_TLS_CLIENT_CERT",
    "SMS_TLS_CLIENT_KEY",
}
"""What only the commands use, and what the compose file says to one service."""


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_tables_in_the_documents_are_those_of_the_code(page: Path) -> None:
    if page.read_text() != renewed(page):
        pytest.fail(f"{page.name} is not what the code says; run: python -m tests.house.app_settings")


def test_the_example_is_that_of_the_code() -> None:
    if EXAMPLE.read_text() != example():
        pytest.fail(".env.example is not what the code says; run: python -m tests.house.app_settings")


def test_the_example_changes_nothing_where_every_line_of_it_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    defaults = config.load()
    lines = EXAMPLE.read_text().splitlines()
    (tmp_path / ".env").write_text("\n".join(re.sub(r"^#(?=[A-Z_]+=)", "", line) for line in lines))

    assert config.load() == defaults
    assert len([line for line in (tmp_path / ".env").read_text().splitlines() if line.startswith("SMS_")]) > 10


def test_the_compose_file_hands_every_setting_to_the_server() -> None:
    given = set(re.findall(r"^    ([A-Z_]+): ", COMPOSE.read_text().split("\nservices:")[0], re.M))

    assert given == {each.name for each in settings()} - HOST_ALONE


def test_what_the_compose_file_reads_beside_them_is_not_taken_for_a_misspelt_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in of_compose():
        monkeypatch.setenv(name, "1")

    assert not set(config.unknown()) & set(of_compose())


def test_what_the_compose_file_reads_beside_them_has_a_row_in_the_documents() -> None:
    text = SETTINGS.read_text()

    missing = {name: value for name, value in of_compose().items() if f"\n| `{name}` | `{value}` | " not in text}
    assert missing == {}, f"{SETTINGS.name} lacks a row with the default of each of these"
