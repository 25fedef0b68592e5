"""One campaign over a network under measurement: triggered, waited for, checked against the message centre's count."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import sqlalchemy as sa

from app.campaigns.control import control
from app.domain.campaign import State, Verb
from app.store.database import open_database
from app.store.tables import campaigns, shards
from benchmarks.sink import Counts
from engine import Client

TEMPLATE = "您好{name}{honorific}，您的账单已出，请查收"
LOOK_EVERY_S = 0.05
LONGEST_S = 1800.0
SILENT_S = 0.5
"""So long without a message is silence."""


class Counting(Protocol):
    """What messages are sent to."""

    def counts(self) -> Counts:
        """What it saw since its start."""


@dataclass
class Campaign:
    """What sends, and what it sends to, through the gateway `centre`; `what` is the text, in the trigger's words."""

    url: str
    port: int
    server: psutil.Process
    centre: Counting
    what: Mapping[str, str] = field(default_factory=lambda: {"template": TEMPLATE})

    def __post_init__(self) -> None:
        self._database = open_database(self.url)
        self._sent = 0

    def start(self, name: str) -> None:
        """Trigger it."""
        with Client("127.0.0.1", self.port, timeout_s=60) as client:
            client.send(json.dumps({"campaign": name, "gateway": "centre", **self.what}))
            answer = json.loads(client.read_line())
        if answer.get("state") != State.RUNNING:
            raise RuntimeError(f"campaign {name} was not started: {answer}")

    def send(self, name: str, *, with_receipts: bool) -> float:
        """Seconds until it is finished; with receipts until each of its messages is delivered."""
        began = time.monotonic()
        self.start(name)
        while not self._is_over(name, with_receipts=with_receipts):
            if time.monotonic() > began + LONGEST_S:
                raise RuntimeError(f"campaign {name} does not come to its end")
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - began

    def _is_over(self, name: str, *, with_receipts: bool) -> bool:
        counts = [sa.func.sum(shards.c[each]) for each in ("sent", "delivered", "accepted")]
        query = sa.select(campaigns.c.state, *counts).join(shards, shards.c.campaign_id == campaigns.c.id)
        with self._database.connect() as connection:
            row = connection.execute(query.where(campaigns.c.name == name).group_by(campaigns.c.id)).one()
        state, self._sent, delivered, accepted = row[0], *map(int, row[1:])
        if state not in (State.RUNNING, State.FINISHED):
            raise RuntimeError(f"campaign {name} is {state}")
        known = delivered if with_receipts else delivered + accepted
        return state == State.FINISHED and known == self._sent

    def check(self, customers: int) -> None:
        """Raises where not everybody got one message, by the message centre's own count."""
        submissions = self.centre.counts().submissions
        if not 0.9 * customers < self._sent <= customers or submissions != self._sent:
            raise RuntimeError(f"{submissions} were submitted, {self._sent} are on record, of {customers} customers")

    def pause(self, name: str) -> float:
        """Seconds from then on until the last message came."""
        asked = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            pausing = pool.submit(control, self._database, Path(), name, Verb.PAUSE)
            last, changed = self.centre.counts().submissions, asked
            while time.monotonic() < changed + SILENT_S:
                time.sleep(0.002)
                if (now := self.centre.counts().submissions) != last:
                    last, changed = now, time.monotonic()
            pausing.result()
        return changed - asked
