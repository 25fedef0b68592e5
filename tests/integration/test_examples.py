"""The examples run as their first lines say."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
# Installed or not; and a line is one write. Unbuffered, print() writes its end apart, and processes that share an
# output tear each other's lines.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}


class Example:
    """A running example and what it printed."""

    def __init__(self, name: str, output: Path) -> None:
        self._output = output
        with open(output, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "examples" / name, "0"],
                env=ENVIRONMENT,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that killpg is kill -9 of it all
            )
        self._name = name
        self.port = int(self.wait_for(r"listening on 127\.0\.0\.1:(\d+)\n")[1])

    def wait_for(self, pattern: str, within_s: float = 60.0) -> re.Match[str]:
        deadline = time.monotonic() + within_s
        while not (found := re.search(pattern, self._output.read_text())):
            assert self.process.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, f"{pattern!r} is not in\n{self._output.read_text()}"
            time.sleep(0.01)
        return found

    def output(self) -> str:
        return self._output.read_text()

    def client(self, within_s: float = 60.0) -> str:
        """Run its client; what that printed. Fails when the client does."""
        return subprocess.run(
            [sys.executable, ROOT / "examples" / self._name, "client", str(self.port)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=True,
        ).stdout

    def kill_all(self) -> None:
        """kill -9 of every process of it, at one moment."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def ask(self, text: bytes) -> str:
        """What `echo … | nc` shows."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile("rb").read().decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    """Starts an example; nothing of it stays."""
    started: list[Example] = []

    def start(name: str) -> Example:
        started.append(Example(name, tmp_path / f"output-{len(started)}"))
        return started[-1]

    yield start
    for example in started:
        if example.process.poll() is None:
            example.kill_all()


@pytest.fixture
def first_task(run: Callable[[str], Example]) -> Example:
    return run("first_task.py")


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


def test_a_large_payload_comes_back_as_it_was(run: Callable[[str], Example]) -> None:
    server = run("large_payload.py")

    said = server.client()

    assert len(re.findall(r"^分发任务，任务id为[012]$", said, re.M)) == 3
    assert len(re.findall(r"^task [012]: 10485760 bytes there and back in [\d.]+ s, unchanged$", said, re.M)) == 3
    assert server.stop() == 0


@pytest.fixture
def queue_key() -> Iterator[int]:
    """The key of the example's queue, which is not there before and not after."""
    from engine import ftok

    key = ftok(str(ROOT / "examples" / "message_queue.py"), 1)
    _remove_queue(key)
    yield key
    _remove_queue(key)


def _remove_queue(key: int) -> None:
    subprocess.run(["ipcrm", "-Q", str(key)], capture_output=True, check=False)


def test_what_a_killed_server_left_undone_is_done_by_the_next(run: Callable[[str], Example], queue_key: int) -> None:
    first = run("message_queue.py")
    assert f"queue key {queue_key:#x}" in first.output()
    first.client()
    first.wait_for(r"(?s)(done job-\d\d\n.*){4}")

    first.kill_all()
    done = re.findall(r"done (job-\d\d)\n", first.output())
    second = run("message_queue.py")

    left = {f"job-{number:02}" for number in range(40)} - set(done)
    assert len(left) > 20, "the jobs were done too soon to tell anything"
    for job in sorted(left):
        second.wait_for(f"finish {job}\n")
    assert re.search(r"begins job-\d\d attempt 2\n", second.output())  # they were in hand
    assert second.stop() == 0


@pytest.mark.alone(reason="no answer is to take a second")
def test_a_flood_of_tasks_is_held_back_and_others_are_still_answered(run: Callable[[str], Example]) -> None:
    server = run("backpressure.py")

    said = server.client()

    assert "3000 of 3000 tasks done" in said
    told = re.search(r"slowest answered after ([\d.]+) s, at most (\d+) tasks waiting", said)
    assert told
    assert float(told[1]) < 1.0  # it all takes three seconds at least
    assert int(told[2]) < 1000  # 240 fill task_queue_max_bytes; some more are on their way
    assert server.stop() == 0
