"""What docs/settings.md and .env.example say of the settings, written from app/config.py, and the tables of
app_tables.py.

`python -m tests.house.app_settings` renews them all.
"""

import ast
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from annotated_types import Ge, Le
from pydantic import SecretStr

from app.config import Config
from tests.house.app_tables import placeholders_table, reasons_table
from tests.house.readme_tables import plain, put_between, table
from tests.house.sources import ROOT

SETTINGS = ROOT / "docs" / "settings.md"
EXAMPLE = ROOT / ".env.example"
COMPOSE = ROOT / "docker-compose.yml"


@dataclass(frozen=True)
class Setting:
    """One setting: its variable, its default as one writes it in `.env`, and what it means."""

    name: str
    default: str
    meaning: str


def settings() -> list[Setting]:
    """Every setting, in the order of app/config.py."""
    source = ast.parse((ROOT / "app" / "config.py").read_text())
    (config,) = [each for each in source.body if isinstance(each, ast.ClassDef) and each.name == "Config"]
    found = []
    for given, told in zip(config.body, config.body[1:], strict=False):
        if not isinstance(given, ast.AnnAssign):
            continue
        assert isinstance(told, ast.Expr), f"{ast.unparse(given)} has no docstring"
        name = ast.unparse(given.target)
        meaning = " ".join(str(ast.literal_eval(told.value)).split())
        found.append(Setting(name.upper(), _default(name), f"{meaning}{_bounds(name)}"))
    assert [each.name.lower() for each in found] == list(Config.model_fields)
    return found


def _default(name: str) -> str:
    default = Config.model_fields[name].default
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return "" if default is None else str(default)


def _bounds(name: str) -> str:
    bounds = {type(each): each for each in Config.model_fields[name].metadata}
    if Ge not in bounds or Le not in bounds:
        return ""
    return f" {bounds[Ge].ge:,} to {bounds[Le].le:,}."


def settings_table() -> str:
    """For docs/settings.md."""
    rows = [(f"`{each.name}`", f"`{each.default}`" if each.default else "", plain(each.meaning)) for each in settings()]
    return table(("setting", "default", "meaning"), rows)


TABLES: dict[Path, tuple[str, Callable[[], str]]] = {
    SETTINGS: ("settings", settings_table),
    ROOT / "docs" / "templates.md": ("placeholders", placeholders_table),
    ROOT / "docs" / "audience.md": ("reasons", reasons_table),
}
"""Which page has which table, between two comments."""


def renewed(page: Path) -> str:
    """The same page with its table as the code has it now."""
    name, as_coded = TABLES[page]
    return put_between(page.read_text(), name, as_coded())


def example() -> str:
    """For .env.example: every setting with its default, and what only the compose file reads."""
    lines = [
        "# Every setting with its default. Copy this file to .env and change what you need: the commands and",
        "# docker compose read it, and the environment goes first. docs/settings.md has the same as a table.",
    ]
    for each in settings():
        meaning = textwrap.wrap(each.meaning.replace("`", ""), 110, initial_indent="# ", subsequent_indent="# ")
        lines += ["", *meaning, f"#{each.name}={each.default}"]
    lines += ["", "# For docker compose alone."]
    lines += [f"#{name}={default}" for name, default in sorted(of_compose().items())]
    return "\n".join(lines) + "\n"


def of_compose() -> dict[str, str]:
    """What the compose file reads and the commands do not, with its default."""
    told = re.sub(r"^ *#.*$", "", COMPOSE.read_text(), flags=re.M)
    named = re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", told)
    ours = {each.name for each in settings()}
    return {name: default for name, default in named if name not in ours}


if __name__ == "__main__":
    for each in TABLES:
        each.write_text(renewed(each))
    EXAMPLE.write_text(example())
