"""The examples run as their first lines say."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


class Example:
    """A running example and what it printed."""

    def __init__(self, name: str, output: Path) -> None:
        self._output = output
        with open(output, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "examples" / name, "0"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},  # installed or not
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.port = int(self.wait_for(r"listening on 127\.0\.0\.1:(\d+)\n")[1])

    def wait_for(self, pattern: str, within_s: float = 15.0) -> re.Match[str]:
        deadline = time.monotonic() + within_s
        while not (found := re.search(pattern, self._output.read_text())):
            assert self.process.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, f"{pattern!r} is not in\n{self._output.read_text()}"
            time.sleep(0.01)
        return found

    def ask(self, text: bytes) -> str:
        """What `echo … | nc` shows."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").read().decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture
def first_task(tmp_path: Path) -> Iterator[Example]:
    example = Example("first_task.py", tmp_path / "output")
    yield example
    if example.process.poll() is None:
        example.process.kill()
        example.process.wait(10)


def test_the_first_task_answers_at_once_and_the_task_worker_gets_the_text(first_task: Example) -> None:
    answers = [first_task.ask(text) for text in (b"hello\n", "你好".encode())]

    assert answers == ["分发任务，任务id为0\n", "分发任务，任务id为1\n"]
    first_task.wait_for(r"#2 task: pid=\d+ task_id=0 bytes=5\n")
    first_task.wait_for(r"#2 task: pid=\d+ task_id=1 bytes=6\n")
    first_task.wait_for(r"task 0 finished, bytes=5\n")
    first_task.wait_for(r"task 1 finished, bytes=6\n")
    assert first_task.stop() == 0


def test_the_first_task_leaves_no_process_and_no_port_behind(first_task: Example) -> None:
    children = psutil.Process(first_task.process.pid).children(recursive=True)
    assert len(children) == 2 + 4

    assert first_task.stop() == 0

    assert not any(child.is_running() for child in children)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first_task.port), timeout=5)
