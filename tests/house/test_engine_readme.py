"""engine/README.md says what is so: its tables are the code's, its programs run, its links lead somewhere."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import Server, Settings
from engine.events import EVENTS
from engine.testing import InlineServer
from tests.house.readme_tables import README, WHEN, code_blocks, renewed
from tests.house.sources import ROOT
from tests.ports import free_port

PROGRAMS = code_blocks(README)
WITHIN_S = 60.0
SERVERS = [name for name, code in PROGRAMS.items() if "server = Server(" in code]


def test_the_tables_are_those_of_the_code() -> None:
    text = README.read_text()

    if text != renewed(text):
        pytest.fail("engine/README.md is not what the code says; run: python -m tests.house.readme_tables")


def test_every_event_is_explained() -> None:
    assert WHEN.keys() == EVENTS.keys()


def test_there_are_programs_each_with_its_name() -> None:
    assert "upper.py" in SERVERS
    assert all(re.fullmatch(r"\w+\.py", name) for name in PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_compiles(name: str) -> None:
    compile(PROGRAMS[name], name, "exec")


@pytest.mark.parametrize("name", SERVERS)
def test_a_program_answers_its_client(name: str, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    program = {"__name__": name, "__file__": str(tmp_path / name)}
    (tmp_path / name).write_text(PROGRAMS[name])

    exec(compile(PROGRAMS[name], name, "exec"), program)

    server = program["server"]
    assert isinstance(server, Server)
    with InlineServer(server) as inline:
        client = inline.connect()
        client.send(frame(server.settings, b"hello"))
        inline.run_tasks()
        inline.advance(1)  # some answer later
        assert client.received
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def frame(settings: Settings, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body if settings.open_length_check else body + b"\n"


def test_the_first_program_runs_as_it_stands(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "upper.py").write_text(PROGRAMS["upper.py"].replace("9501", str(port)))
    output = tmp_path / "output"
    with open(output, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, tmp_path / "upper.py"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        said = ask(process, port, b"hello\n")

        assert said == b"task 0 is on its way\n"
        wait_for(process, lambda: b"0 b'HELLO'\n" in output.read_bytes())
        process.terminate()
        assert process.wait(WITHIN_S) == 0, output.read_text()
    finally:
        process.kill()
        process.wait(10)


def ask(process: subprocess.Popen[bytes], port: int, text: bytes) -> bytes:
    """What the server answers, once it listens."""
    connections: list[socket.socket] = []

    def connect() -> bool:
        try:
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S))
        except ConnectionRefusedError:
            return False
        return True

    wait_for(process, connect)
    with connections[0] as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def wait_for(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert process.poll() is None, "the program ended"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    for name in ("upper.py", "test_upper.py"):
        (tmp_path / name).write_text(PROGRAMS[name])

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, "test_upper.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text())

    assert links
    assert [link for link in links if "://" not in link and not (README.parent / link).exists()] == []
