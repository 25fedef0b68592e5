"""node-smpp, an implementation that we did not write."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.node_package import NoNode, Package

__all__ = ["NoNode"]
_PACKAGE = Package("smpp", "0.5.1", "node-smpp")


def installed() -> Path:
    """The folder whose node_modules has it. Raises NoNode."""
    return _PACKAGE.installed()


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
