"""Three hosts send one campaign to a message centre and one to logs, while links are cut, processes die, clocks are
wrong, and the broker forgets: nobody gets a message twice, and nobody is forgotten.

The seed is printed, and each disturbance with what it measured. CHAOS_SEED repeats a run. CHAOS_CUSTOMERS and
CHAOS_ROUNDS (how often each disturbance comes; 0 for some of them) make it longer: `make chaos-fleet`; CHAOS_ONLY names
disturbances, divided by commas.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.domain.campaign import LOG, State
from tests.acceptance.disturbances import LINKS, OTHERS, Disturbance, Scene
from tests.acceptance.judge import Judge
from tests.acceptance.three_hosts import RATE, ThreeHosts, three_hosts
from tests.clocks import NoCompiler
from tests.conftest import missing
from tests.databases import NoServer
from tests.hosts import NoHosts

CUSTOMERS = int(os.environ.get("CHAOS_CUSTOMERS", "6000"))
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "0"))
ONLY = [each for each in os.environ.get("CHAOS_ONLY", "").split(",") if each]
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
CHOSEN_LINKS, CHOSEN_OTHERS = 2, 2
TAKES_S = 8.0
"""One disturbance, on a machine that has little else to do."""
NETWORK, LOGS = "stormy", "paper"


def planned(chance: random.Random) -> list[Disturbance]:
    """In the order in which they come."""
    known = [*LINKS, *OTHERS]
    if ONLY:
        chosen = [each for each in known if each.__name__ in ONLY] * max(1, ROUNDS)
    elif ROUNDS:
        chosen = known * ROUNDS
    else:
        chosen = [*chance.sample(LINKS, CHOSEN_LINKS), *chance.sample(OTHERS, CHOSEN_OTHERS)]
    chance.shuffle(chosen)
    return chosen


def _worded(measured: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f} s" for name, value in measured.items())


CHANCE = random.Random(SEED)
PLANNED = planned(CHANCE)
LASTS_S = 3 * TAKES_S * (len(PLANNED) + 1)
"""Before that neither campaign is over, as long as there are disturbances to come."""
OVER_WITHIN_S = 240 + 4 * CUSTOMERS / RATE
"""A machine that is busy sends at a fraction of it."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[ThreeHosts]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(three_hosts(tmp_path, CUSTOMERS, LASTS_S))
        except (NoHosts, NoServer, NoCompiler) as reason:
            missing(str(reason))
        yield made


@pytest.mark.long
@pytest.mark.mysql
@pytest.mark.timeout(400 + OVER_WITHIN_S + 60 * len(PLANNED))
def test_whatever_happens_to_three_hosts_nobody_gets_two_messages_and_nobody_is_forgotten(fleet: ThreeHosts) -> None:
    print(f"\nCHAOS_SEED={SEED}, {CUSTOMERS} customers: {', '.join(each.__name__ for each in PLANNED)}", flush=True)
    server = fleet.server
    server.begin(NETWORK)
    assert "tasks" in json.loads(server.ask(json.dumps({"campaign": LOGS, "gateway": LOG})))
    judge = Judge(fleet, CUSTOMERS, NETWORK, LOGS)
    scene = Scene(fleet, judge, CHANCE)

    measures: dict[str, list[float]] = {}
    with judge.watching():
        scene.wait_until_both_get_on()
        for each in PLANNED:
            began = time.monotonic()
            measured = each(scene) or {}
            took_s = time.monotonic() - began
            judge.check()
            measured["both go on after"] = scene.wait_until_both_get_on()
            print(f"{each.__name__}: {took_s:.1f} s, {_worded(measured)}", flush=True)
            for name, value in measured.items():
                measures.setdefault(f"{each.__name__}, {name}", []).append(value)
            scene.pass_time((0.2, 1.0))
        states = {name: server.state(name) for name in (NETWORK, LOGS)}
        fleet.release()
        over = {name: server.wait_until_over(name, within_s=OVER_WITHIN_S) for name in (NETWORK, LOGS)}
        counts = judge.verdict()

    if ROUNDS > 1:
        print(*(f"{name}: {min(some):.2f} to {max(some):.2f} s" for name, some in sorted(measures.items())), sep="\n")
    found = ", ".join(f"{count} {state}" for state, count in sorted((+counts).items()))
    print(f"{found}; {judge.looks} looks, {len(judge.claims())} claims, {judge.most_in_doubt} in doubt at most")
    assert over == dict.fromkeys((NETWORK, LOGS), State.FINISHED)
    assert states == dict.fromkeys((NETWORK, LOGS), State.RUNNING), "it was over before the last disturbance"
