"""A copy of the engine with its hot modules compiled, to measure beside the plain one."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import ROOT, Unavailable

_COPIED = ("engine", "benchmarks", "setup.py", "pyproject.toml", "README.md", "LICENSE")
_LONGEST_S = 600


@contextmanager
def copy() -> Iterator[Path]:
    """The root of such a copy, gone with the block. Takes half a minute. Raises Unavailable where nothing compiles."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        raise Unavailable(f"no C compiler, {compiler} is not there")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                shutil.copy(source, root)
        _build(root)
        yield root


def _build(root: Path) -> None:
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=root,
        env=os.environ | {"ENGINE_COMPILE": "1"},
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if built.returncode or not any(root.rglob("*.so")):
        why = (built.stderr or built.stdout).strip() or "it said nothing"
        raise Unavailable(f"the engine could not be compiled: {why.splitlines()[-1]}")
