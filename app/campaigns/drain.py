"""Drains a gateway, or lets it send again. What counts is in the database, so the server need not run."""

import time
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Engine

from app.domain.actor import Actor, Deed
from app.store import accounts, drains, trail
from app.store.drains import Drain
from app.store.faults import write

SETTLED_WITHIN_S = 5.0
"""Longest wait for sessions to end. They look several times in a second, and wait for the answers that are out."""
LOOK_EVERY_S = 0.05


class GatewayState(StrEnum):
    """What people want of a gateway."""

    ACTIVE = "active"
    DRAINED = "drained"


_DEEDS = {GatewayState.ACTIVE: Deed.GATEWAY_ACTIVATE, GatewayState.DRAINED: Deed.GATEWAY_DRAIN}


@dataclass(frozen=True, slots=True)
class Put:
    """The gateway after it. `sessions`: how many still wait for answers; none submits anything more."""

    drain: Drain | None
    changed: bool
    sessions: int


def put(database: Engine, gateway: str, state: GatewayState, by: Actor | None = None) -> Put:
    """Do it, and wait for sessions to end. Where it is so already nothing happens. That there is such a gateway is the
    caller's to see to. `by` None is who runs this program. Raises what the database raises."""

    def unit(connection: Connection) -> tuple[Drain | None, bool]:
        before = drains.lock(connection, gateway)
        if (before is not None) is (state is GatewayState.DRAINED):
            return before, False
        after = drains.now((by or trail.this_process()).who) if state is GatewayState.DRAINED else None
        drains.put(connection, gateway, after)
        was = GatewayState.DRAINED if before else GatewayState.ACTIVE
        states = {"state": was.value}, {"state": state.value}
        trail.note(connection, by, _DEEDS[state], subject=gateway, before=states[0], after=states[1])
        return after, True

    drain, changed = write(database, unit)
    sessions = _wait_for_sessions(database, gateway) if drain else 0
    return Put(drain, changed, sessions)


def _wait_for_sessions(database: Engine, gateway: str) -> int:
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        with database.connect() as connection:
            sessions = accounts.binds_in_use(connection).get(gateway, 0)
        if not sessions or time.monotonic() >= deadline:
            return sessions
        time.sleep(LOOK_EVERY_S)
