"""engine/pyproject.toml: the engine installs alone, into an environment where nothing else is."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "engine"
INSTALL_S = 240
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
IMPORT_ALL = """
import pkgutil, engine
for module in pkgutil.walk_packages(engine.__path__, "engine."):
    __import__(module.name)
    print(module.name)
"""


def files(folder: Path) -> set[str]:
    """What is in a folder, but for what every tool may leave there."""
    return {
        str(each.relative_to(folder))
        for each in folder.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts and not each.parent.name.endswith(".egg-info")
    }


def tidy() -> None:
    """Remove what a build keeps; a file that is no more in the sources would still be in the next one."""
    shutil.rmtree(ROOT / "build" / "engine", ignore_errors=True)
    for each in ENGINE.glob("*.egg-info"):
        shutil.rmtree(each)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of a new environment that has the engine, its sources as they were."""
    folder = tmp_path_factory.mktemp("fresh")
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", folder)
    tidy()
    before = files(ENGINE)

    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", ENGINE)

    assert files(ENGINE) == before
    yield python
    tidy()
    shutil.rmtree(folder)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    ended = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def requirements(path: Path) -> set[str]:
    project: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return set(project["dependencies"])


@pytest.mark.timeout(2 * INSTALL_S)
def test_the_engine_installs_with_its_three_requirements_and_nothing_else(python: Path) -> None:
    found = json.loads(run(python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))

    names = {each["name"].lower().replace("_", "-") for each in found}
    assert names - {"pip", "setuptools", "wheel"} == {"task-engine", "setproctitle", "sysv-ipc", "uvloop"}


@pytest.mark.timeout(2 * INSTALL_S)
def test_all_of_it_is_installed_and_imports_nothing_that_is_not(python: Path, tmp_path: Path) -> None:
    folder = Path(run(python, "-c", "import engine; print(engine.__file__)", cwd=tmp_path).strip()).parent

    imported = run(python, "-c", IMPORT_ALL, cwd=tmp_path).split()

    modules = {each.relative_to(ROOT).with_suffix("") for each in ENGINE.rglob("*.py")} - {Path("engine/__init__")}
    assert set(imported) == {".".join(each.parts).removesuffix(".__init__") for each in modules}
    assert folder.is_relative_to(python.parents[1])
    assert (folder / "py.typed").exists()
    assert (folder / "README.md").read_text() == (ENGINE / "README.md").read_text()


@pytest.mark.timeout(2 * INSTALL_S)
def test_the_first_task_runs_with_the_engine_alone(python: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "first_task.py", tmp_path)
    output = tmp_path / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [python, "first_task.py", "0"], cwd=tmp_path, env=ENVIRONMENT, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        listening = until(
            lambda: process.poll() is not None or re.search(r"listening on .*:(\d+)\n", output.read_text()),
            what="the example listens",
        )
        assert isinstance(listening, re.Match), output.read_text()
        with socket.create_connection(("127.0.0.1", int(listening[1])), timeout=60) as connection:
            connection.sendall(b"hello\n")
            connection.shutdown(socket.SHUT_WR)
            assert connection.makefile("rb").read().decode() == "分发任务，任务id为0\n"
        until(lambda: "task 0 finished, bytes=5\n" in output.read_text(), what="the task is done")
        process.terminate()
        assert process.wait(60) == 0, output.read_text()
    finally:
        process.kill()
        process.wait(60)


def test_the_engine_asks_for_the_same_versions_as_the_whole_application() -> None:
    assert requirements(ENGINE / "pyproject.toml") < requirements(ROOT / "pyproject.toml")
