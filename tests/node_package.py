"""Packages of npm that tests use: installed when a test asks, once for all, outside of the tree."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sms-campaigns-tests"


class NoNode(Exception):
    """Why there is no such package here, for a person."""


@dataclass(frozen=True)
class Package:
    """One; `folder` is what it is kept under."""

    name: str
    version: str
    folder: str
    install_s: float = 60.0

    def installed(self) -> Path:
        """The folder whose node_modules has it. Raises NoNode."""
        if not (shutil.which("node") and shutil.which("npm")):
            raise NoNode("no node and npm on the PATH")
        kept = _CACHES / f"{self.folder}-{self.version}"
        if not kept.is_dir():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as made:
                self._install(Path(made) / "whole", kept)
        return kept

    def _install(self, whole: Path, kept: Path) -> None:
        what = f"{self.name}@{self.version}"
        whole.mkdir()
        (whole / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", what]
        try:
            run = subprocess.run(
                command, cwd=whole, capture_output=True, text=True, timeout=self.install_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise NoNode(f"npm did not install {what} within {self.install_s:.0f} s") from None
        if run.returncode:
            raise NoNode(f"npm cannot install {what}: {run.stderr.strip()[-200:]}")
        if not kept.is_dir():
            try:
                whole.rename(kept)  # as a whole: another process may look at the same moment
            except OSError:
                if not kept.is_dir():
                    raise
