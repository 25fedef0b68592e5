"""Draws docs/demo.svg, a campaign in the terminal, from a real run: `make picture`."""

import io
import os
import pty
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "demo.svg"
CUSTOMERS = 2_000_000
"""Enough that the terminal is drawn some times before the end."""
COLUMNS, LINES = 130, 40
WITHIN_S = 120.0

REDRAWN = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
"""What Rich writes before it draws a picture over the one before."""
SHARE = re.compile(r"all .*?(\d+)\.\d%")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SMS_")},
            "DATABASE_URL": f"sqlite:///{home}/customers.db",
            "SMS_LOG_DIR": f"{home}/logs",
            "SMS_LANGUAGE": "en",
            "SMS_PORT": str(_free_port()),
            "SMS_SHARD_SIZE": str(CUSTOMERS // 4),
            "PYTHONUNBUFFERED": "1",
        }
        _run(environment, "migrations")
        _run(environment, "seed", "--customers", str(CUSTOMERS), "--random-seed", "1")
        with _serving(environment):
            watched = on_terminal(environment, "trigger", "spring", "--watch")
            told = on_terminal(environment, "status")
        messages = _run(environment, "app", "logs", "spring", "--mask").splitlines()[:3]
    draw(halfway(watched), told, messages)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _run(environment: dict[str, str], module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[None]:
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen([sys.executable, "-m", "app", "serve"], cwd=ROOT, env=environment, stderr=log)
        try:
            deadline = time.monotonic() + WITHIN_S
            while "server ready" not in _said(log):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(_said(log))
                time.sleep(0.05)
            yield
        finally:
            server.terminate()
            server.wait(WITHIN_S)


def _said(log: io.TextIOBase) -> str:
    log.seek(0)
    return log.read()


def on_terminal(environment: dict[str, str], *arguments: str) -> str:
    """All that a terminal gets from one of our commands, until it ends well."""
    ours, theirs = pty.openpty()
    terminal = {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    command = [sys.executable, "-m", "app", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment | terminal, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := _read(ours):
            seen += piece
    finally:
        os.close(ours)
        if process.wait(WITHIN_S):
            raise SystemExit(f"{arguments} ended with {process.returncode}:\n{seen.decode()}")
    return seen.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: nobody has the other side any more
        return b""


def halfway(watched: str) -> str:
    """The first answer of the server, and of all pictures that were drawn the one nearest to 60 %."""
    answer = next(line for line in watched.splitlines() if "task" in line)
    drawn = REDRAWN.split(watched[watched.index(answer) + len(answer) :])
    shares = {picture: int(found[1]) for picture in drawn if (found := SHARE.search(_plain(picture)))}
    return f"{answer}\n{min(shares, key=lambda picture: abs(shares[picture] - 60)).strip()}"


def _plain(text: str) -> str:
    return Text.from_ansi(text).plain


def draw(watched: str, told: str, messages: list[str]) -> None:
    """Put what was seen one below the other."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    for command, seen in (
        ("trigger spring --watch", watched),
        ("status", told),
        ("logs spring --mask | head -3", "\n".join(messages)),
    ):
        console.print(Text.assemble(("$ ", "bold green"), (f"python -m app {command}", "bold")))
        console.print(Text.from_ansi(seen.strip("\n")), no_wrap=True, crop=True)
        console.print()
    PICTURE.parent.mkdir(exist_ok=True)
    console.save_svg(str(PICTURE), unique_id="demo", title=f"{CUSTOMERS:,} customers, SQLite")


if __name__ == "__main__":
    main()
