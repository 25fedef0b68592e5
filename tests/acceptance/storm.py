"""A campaign over a network under kills, whichever network it is."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from app.domain.campaign import State
from tests.acceptance.network_sender import Sender
from tests.acceptance.test_chaos import children
from tests.integration.app.serving import WITHIN_S
from tests.waiting import until

NAME = "stormy"
AnySender = TypeVar("AnySender", bound=Sender)


def all_are_there(sender: Sender) -> bool:
    """Somebody of each kind to kill."""
    titles = [title for title, _ in children(sender)]
    kinds = ("sms: task worker", "sms: worker", "sms: receiver")
    return all(any(title.startswith(kind) for title in titles) for kind in kinds)


def send_under_kills(
    sender: AnySender,
    chance: random.Random,
    ways: Mapping[Callable[[AnySender, random.Random], None], int],
    kills: int,
    customers: int,
) -> Counter[str]:
    """Send to all of them while so many kills come, each way at least once as far as there are so many; the counts once
    every receipt that was promised came. `ways`: each with its weight."""
    sender.begin(NAME)
    more = chance.choices(list(ways), list(ways.values()), k=max(0, kills - len(ways)))
    planned = [*ways, *more]
    chance.shuffle(planned)
    killed: Counter[str] = Counter()
    for way in planned[:kills]:
        threading.Event().wait(chance.uniform(0.1, 1.5))
        until(lambda: all_are_there(sender), within_s=WITHIN_S, what="somebody of each kind to kill")
        way(sender, chance)
        killed[way.__name__] += 1
        sender.counts()
    state_after_the_last_kill = sender.state(NAME)
    until(lambda: sender.counts() and sender.state(NAME) != State.RUNNING, within_s=120 + kills * 15)
    over = sender.state(NAME)
    counts = sender.settled(customers, within_s=2 * WITHIN_S)

    print(f"killed {dict(killed)}; {dict(+counts)}")
    assert state_after_the_last_kill == State.RUNNING, "it was over before the last kill"
    assert over == State.FINISHED
    return counts
