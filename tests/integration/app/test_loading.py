"""A command loads what it needs and no more: an operator who asks for a status waits for nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import COMMANDS
from tests import starting

ROOT = Path(__file__).parents[3]
TOP = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded_by(code: str, **environment: str) -> set[str]:
    """The packages that are there after it, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\n{TOP}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ended.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", sorted(set(COMMANDS.values())))
def test_each_command_starts_by_itself(module, tmp_path):
    name = next(name for name, each in COMMANDS.items() if each == module)

    ended = starting.run(["-m", "app", name, "--help"], os.environ, cold=True)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"python -m app {name}" in ended.stdout


def test_the_list_of_commands_loads_neither_settings_nor_a_database():
    assert not loaded_by("import app.cli.main") & {"sqlalchemy", "pydantic", "asyncio", "engine", "numpy"}


def test_a_status_loads_no_server_no_numbers_and_no_network(sqlite, tmp_path):
    code = """
from unittest.mock import patch
from app import console
from app.cli.main import cli
with patch("sys.argv", ["app", "status"]):
    try:
        console.run(cli)
    except SystemExit as ended:
        assert not ended.code
"""
    found = loaded_by(code, DATABASE_URL=str(sqlite.url), SMS_LOG_DIR=str(tmp_path))

    assert "sqlalchemy" in found
    assert not found & {
        "engine",
        "numpy",
        "uvloop",
        "alembic",
        "cryptography",
        "MySQLdb",
        "pymysql",
        "fastapi",
        "celery",
    }
