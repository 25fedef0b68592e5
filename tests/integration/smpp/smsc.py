"""The demo message centre, as a process of a test."""

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import starting
from tests.waiting import until

ROOT = Path(__file__).parents[3]


class Smsc:
    """A running one. `log` is its list of submissions."""

    def __init__(self, folder: Path, *options: str, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> None:
        """`prefix`: see tests/starting.py."""
        self.host = host
        self._prefix = prefix
        self.log = folder / "smsc.log"
        self.control = folder / "control"
        self._output = folder / "output"
        self._options = options
        self.port = 0
        self.start()

    def start(self) -> None:
        """Also after its end: on the same port, with the same log."""
        command = ["-m", "examples.smsc", "--host", self.host, "--port", str(self.port), "--log", str(self.log)]
        with open(self._output, "wb") as out:
            self.process = starting.start(
                [*command, "--control", str(self.control), *self._options],
                os.environ,
                stdout=out.fileno(),
                stderr=out.fileno(),
                new_session=True,
                prefix=self._prefix,
            )
        found = until(self._listening, what="the message centre listens")
        self.port = int(found[1])

    def _listening(self) -> re.Match[str] | None:
        assert self.process.poll() is None, self.output()
        return re.search(rf"listening on {re.escape(self.host)}:(\d+)\n", self.output())

    def output(self) -> str:
        return self._output.read_text()

    def submissions(self) -> list[list[str]]:
        return [line.split("\t") for line in self.log.read_text().splitlines()]

    def say(self, line: str) -> None:
        with open(self.control, "a") as control:
            control.write(line + "\n")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self) -> None:
        """kill -9 of all of it, at one moment."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(15)


@contextmanager
def running(folder: Path, *options: str, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Iterator[Smsc]:
    smsc = Smsc(folder, *options, host=host, prefix=prefix)
    try:
        yield smsc
    finally:
        smsc.kill()
