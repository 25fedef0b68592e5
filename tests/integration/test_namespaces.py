"""The hosts that tests are run on: cut means cut, whole means whole, and nothing is left of them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clocks import Clock, NoCompiler, compiled
from tests.conftest import missing
from tests.hosts import BROKER, DATABASE, PROVIDER, Host, Hosts, NoHosts, hosts
from tests.waiting import until

PORT = 8000
NAMESPACES = Path("/run/netns")


@pytest.fixture
def two() -> Iterator[Hosts]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(hosts(2))
        except NoHosts as reason:
            missing(str(reason))
        yield made


@pytest.fixture
def listening(two: Hosts) -> Iterator[None]:
    """On every address that hosts may be cut off from."""
    with ExitStack() as stack:
        for place, addresses in ((two.hub, (DATABASE, BROKER)), (two.provider, (PROVIDER,))):
            with place.entered():
                for address in addresses:
                    stack.enter_context(socket.create_server((address, PORT), backlog=100))
        yield


def reached(host: Host, within_s: float = 0.3) -> set[str]:
    found = set()
    with host.entered():
        for address in (DATABASE, BROKER, PROVIDER):
            try:
                socket.create_connection((address, PORT), timeout=within_s).close()
            except OSError:
                continue
            found.add(address)
    return found


ALL = {DATABASE, BROKER, PROVIDER}


def reaches(host: Host, addresses: set[str]) -> bool:
    """And nothing else. Who was cut off may take a second to find its neighbours again."""

    def all_of_them() -> set[str] | None:
        return found if (found := reached(host)) >= addresses else None

    return until(all_of_them, what=f"{host.word} reaches {addresses}") == addresses


def test_a_host_is_cut_off_from_what_is_said_and_from_nothing_else(two: Hosts, listening: None) -> None:
    one, other = two.all
    assert reaches(one, ALL)

    for address in ALL:
        with one.cut(address):
            assert reaches(one, ALL - {address})
            assert reaches(other, ALL)
    with one.cut(DATABASE, BROKER):
        assert reaches(one, {PROVIDER})
    for direction in ("hears", "is_heard"):
        with one.cut(DATABASE, **{direction: True}):
            assert reaches(one, ALL - {DATABASE})
    with one.unplugged("hub"):
        assert reaches(one, {PROVIDER})
    with one.unplugged("provider"):
        assert reaches(one, {DATABASE, BROKER})

    assert reaches(one, ALL)


def test_a_host_is_killed_as_a_whole_and_has_a_name_of_its_own(two: Hosts) -> None:
    one, other = two.all
    code = "import socket, time; print(socket.gethostname(), flush=True); time.sleep(600)"
    some = [subprocess.Popen([*each.prefix, sys.executable, "-c", code], stdout=subprocess.PIPE) for each in two.all]
    try:
        assert [each.stdout.readline() for each in some if each.stdout] == [b"w1\n", b"w2\n"]
        assert [each.processes() for each in two.all] == [[each.pid] for each in some]

        one.kill()

        assert some[0].wait(10) == -9
        assert some[1].poll() is None
    finally:
        for each in some:
            each.kill()
            each.wait()
            assert each.stdout
            each.stdout.close()
    assert other.processes() == []


def test_nothing_is_left_of_the_hosts_of_a_test_that_fails() -> None:
    class Failed(Exception):
        pass

    try:
        with pytest.raises(Failed), hosts(1) as made:
            names = {each.name for each in made.places}
            assert names <= {each.name for each in NAMESPACES.iterdir()}
            process = subprocess.Popen([*made.all[0].prefix, "sleep", "600"])
            raise Failed
    except NoHosts as reason:
        missing(str(reason))

    assert process.wait(10) == -9
    assert not names & {each.name for each in NAMESPACES.iterdir()}


def test_what_a_killed_run_left_behind_the_next_one_takes_away() -> None:
    code = """
import os
from tests.hosts import hosts

with hosts(1):
    print(os.getpid(), flush=True)
    os._exit(1)
"""

    def is_killed() -> str:
        """What is left has this in its name; '' where another process of tests took it away already."""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if not done.stdout:
            missing(done.stderr.splitlines()[-1])
        left = f"-{done.stdout.strip()}-"
        return left if any(left in each.name for each in NAMESPACES.iterdir()) else ""

    left = until(is_killed, what="something is left behind")

    with hosts(1):
        assert not any(left in each.name for each in NAMESPACES.iterdir())


def test_a_clock_that_is_set_is_another_time_of_day_and_nothing_else(tmp_path: Path) -> None:
    try:
        clock = Clock(compiled(tmp_path), tmp_path / "shift")
    except NoCompiler as reason:
        missing(str(reason))
    code = """
import datetime, multiprocessing, sys, threading, time
while sys.stdin.readline():
    began = time.monotonic()
    time.sleep(0.01)
    threading.Event().wait(0.01)
    assert not multiprocessing.Semaphore(0).acquire(timeout=0.01)
    took_s = time.monotonic() - began
    now = datetime.datetime.now(datetime.UTC).timestamp()
    print(time.time(), now, time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), took_s, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for by_s in (0, 60, -60, 0):
            clock.set_ahead(by_s)
            process.stdin.write("now\n")
            process.stdin.flush()
            wall, also, steady, boot, took_s = map(float, process.stdout.readline().split())
            assert wall == pytest.approx(time.time() + by_s, abs=20)
            assert also == pytest.approx(wall, abs=20)
            assert steady == pytest.approx(time.monotonic(), abs=20)
            assert boot == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=20)
            assert took_s < 20
        process.stdin.close()
