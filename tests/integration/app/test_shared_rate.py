"""An account's rate is one for all processes that send over it: the message centre's own log is the judge."""

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from bisect import bisect, bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.app.campaigns import with_tables
from tests.integration.smpp.smsc import Smsc, running
from tests.unit.app.test_limiter import most_in_a_second

SENDERS, KILLS = 8, 3
RATE = 400
STRETCH_S = 5.0
USED = 0.95
USED_WITHOUT_A_CPU = 0.85
"""Who is not woken in time loses what it has; this is less than it was before slices became small where many share."""


@contextmanager
def sharers(count: int, url: str, port: int) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes that are bound, and begin when they are told."""
    command = [sys.executable, "-m", "tests.integration.app.sharer", url, str(port), str(RATE)]
    every = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for each in every:
            assert each.stdout
            assert each.stdout.readline() == "bound\n"
        yield every
    finally:
        for each in every:
            each.kill()
            each.communicate()


def begin(sharer: subprocess.Popen[str]) -> None:
    assert sharer.stdin
    sharer.stdin.write("\n")
    sharer.stdin.flush()


def times(centre: Smsc) -> list[float]:
    """When each submission came, by the centre's log."""
    whole = centre.log.read_text().rpartition("\n")[0]
    return sorted(datetime.fromisoformat(line.split("\t")[0]).timestamp() for line in whole.splitlines())


def best_use(found: list[float], kills: list[float]) -> float:
    """Of the rate, in the best five seconds with a kill among them."""
    begins = [each for each in found if any(each < kill < each + STRETCH_S for kill in kills)]
    most = 0
    for each in begins[:: RATE // 20]:
        if each + STRETCH_S <= found[-1]:
            most = max(most, bisect(found, each + STRETCH_S) - bisect_left(found, each))
    return most / (RATE * STRETCH_S)


def is_calm() -> bool:
    """Whether processes got a CPU when they wanted one, most of the last ten seconds, as far as the kernel tells."""
    pressure = Path("/proc/pressure/cpu")
    try:
        return float(pressure.read_text().split("avg10=")[1].split()[0]) < 50
    except OSError:
        return True


@pytest.mark.alone(reason="the judge sees what comes as soon as it comes, and who sends is woken in time")
@pytest.mark.mysql
@pytest.mark.timeout(90)
def test_eight_processes_with_kills_among_them_keep_one_rate_and_use_nearly_all_of_it(
    mysql_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(2**32)))
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    kill_after = sorted(chance.uniform(0.5, STRETCH_S) for _ in range(KILLS))
    kills: list[float] = []

    with (
        with_tables(mysql_url),
        running(tmp_path) as centre,
        sharers(SENDERS + KILLS, mysql_url, centre.port) as every,
    ):
        with contextlib.suppress(PermissionError):  # a judge who has to wait for a CPU sees what came meanwhile at once
            os.setpriority(os.PRIO_PGRP, centre.process.pid, -15)
        at_work, spare = every[:SENDERS], every[SENDERS:]
        begun_at = time.time()
        for each in at_work:
            begin(each)
        for after in kill_after:
            threading.Event().wait(begun_at + after - time.time())
            killed = at_work.pop(chance.randrange(SENDERS))
            killed.kill()
            kills.append(time.time())
            at_work.append(spare.pop())
            begin(at_work[-1])
        while best_use(times(centre), kills) < USED and time.time() < begun_at + 2 * STRETCH_S:
            threading.Event().wait(0.2)
        found, calm = times(centre), is_calm()

    most, used = most_in_a_second(found), best_use(found, kills)
    print(f"{len(found)} submissions, {most} in a second at most, {used:.3f} of the rate used, {calm=}")
    assert most <= RATE
    assert used >= (USED if calm else USED_WITHOUT_A_CPU)
