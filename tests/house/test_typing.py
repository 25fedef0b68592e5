"""A program on the engine can be checked strictly, from outside of this repository."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.house.samples import word_count
from tests.house.sources import ROOT

SAMPLES = Path(__file__).parent / "samples"


def check(sample: str, folder: Path) -> str:
    """What mypy --strict says of this sample, which lies in `folder` and finds the engine on its path."""
    shutil.copy(SAMPLES / sample, folder)
    (folder / "mypy.ini").write_text("[mypy]\n")  # and none of our own rules
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini"),
            *("--cache-dir", ROOT / ".mypy_cache" / "samples", "--explicit-package-bases", sample),
        ],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.stdout


def test_a_program_that_uses_all_that_is_public_has_no_type_error(tmp_path: Path) -> None:
    assert check("word_count.py", tmp_path).startswith("Success: no issues found")


def test_mistakes_are_found_by_the_type_checker(tmp_path: Path) -> None:
    said = check("misuse.py", tmp_path)

    found = {int(line): kind for line, kind in re.findall(r"^misuse\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.M)}
    lines = (SAMPLES / "misuse.py").read_text().splitlines()
    expected = {number: line.split("# error: ")[1] for number, line in enumerate(lines, 1) if "# error: " in line}
    assert found == expected


def test_that_program_runs() -> None:
    said = word_count.check().decode().splitlines()

    assert said[0] == "welcome 127.0.0.1, you are 2 of 1"
    assert sorted(said[1:]) == sorted(["2", "['2', '3']", "task 1", "2", "0 of 2, most by 2"])


def test_the_engine_says_that_it_is_typed() -> None:
    assert (ROOT / "engine" / "py.typed").exists()
    assert "py.typed" in (ROOT / "pyproject.toml").read_text()


def test_a_type_checker_follows_an_editable_install(tmp_path: Path) -> None:
    if not list(Path(sysconfig.get_path("purelib")).glob("__editable__.sms_campaigns-*")):
        pytest.skip("the project is not installed in this environment")
    env = {name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")}
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--cache-dir", os.devnull]
    run = subprocess.run(
        [*command, "-c", "from engine import Server\nServer('127.0.0.1', '9501')"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert '"Server" has incompatible type "str"' in run.stdout, run.stdout + run.stderr
