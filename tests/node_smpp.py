"""node-smpp, an implementation that we did not write: installed when a test asks, once for all, outside of the tree."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = "0.5.1"
_CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
_CACHE = _CACHES / "sms-campaigns-tests" / f"node-smpp-{VERSION}"
_INSTALL_S = 60.0


class NoNode(Exception):
    """Why there is no node-smpp here, for a person."""


def installed() -> Path:
    """The folder whose node_modules has it. Raises NoNode."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise NoNode("no node and npm on the PATH")
    if _CACHE.is_dir():
        return _CACHE
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as made:
        whole = Path(made) / "whole"
        whole.mkdir()
        (whole / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", f"smpp@{VERSION}"]
        try:
            run = subprocess.run(command, cwd=whole, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoNode(f"npm did not install smpp@{VERSION} within {_INSTALL_S:.0f} s") from None
        if run.returncode:
            raise NoNode(f"npm cannot install smpp@{VERSION}: {run.stderr.strip()[-200:]}")
        if not _CACHE.is_dir():
            try:
                whole.rename(_CACHE)  # as a whole: another process may look at the same moment
            except OSError:
                if not _CACHE.is_dir():
                    raise
    return _CACHE


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of node that may require('smpp'); gone at the end. Raises NoNode."""
    folder = installed()
    process = subprocess.Popen(
        ["node", "-e", program, *arguments], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


_READER = """
const {PDU} = require('smpp/lib/pdu');
const plain = (key, value) => value && value.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value;
require('readline').createInterface({input: process.stdin}).on('line', line => {
  let read;
  try { read = new PDU(Buffer.from(line, 'hex')); } catch (error) { read = {error: String(error)}; }
  console.log(JSON.stringify(read, plain));
});
"""


class Reader:
    """Reads PDUs with node-smpp."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, pdu: bytes) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(pdu.hex() + "\n")
        self._process.stdin.flush()
        read: dict[str, Any] = json.loads(self._process.stdout.readline())
        return read


@contextmanager
def reader() -> Iterator[Reader]:
    """Raises NoNode."""
    with running(_READER) as process:
        yield Reader(process)
