"""Pauses, resumes and cancels a campaign. What counts is in the database, so the server need not run."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.campaigns.release import let_go_of_all
from app.campaigns.snapshot import Snapshot, snapshot
from app.campaigns.suspicion import suspect
from app.domain.actor import Actor, Deed
from app.domain.campaign import LOG, TRANSITIONS, State, Verb, check_name
from app.errors import WrongState
from app.store import campaigns, trail
from app.store.campaigns import Campaign
from app.store.faults import write

SETTLED_WITHIN_S = 5.0
"""Longest wait for tasks to stop. They look at every page, which is a tenth of a second."""
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Controlled:
    """The campaign after it; its counts are exact. `still_sending`: shards whose task has not stopped yet; what it
    delivers now is not counted, and taken back."""

    snapshot: Snapshot
    still_sending: list[int]


def control(database: Engine, log_dir: Path, name: str, verb: Verb, by: Actor | None = None) -> Controlled:
    """Do it, and wait until no task sends any more. `by` None is who runs this program. Raises BadRequest for a bad
    name, UnknownCampaign, WrongState, LogUnusable, and what the database raises."""
    name = check_name(name)
    campaign = write(database, lambda connection: _change(connection, log_dir, name, verb, by))
    still_sending: list[int] = []
    if verb is not Verb.RESUME:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while (still_sending := let_go_of_all(database, log_dir, campaign)) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
    return Controlled(snapshot(database, name), still_sending)


def _change(connection: Connection, log_dir: Path, name: str, verb: Verb, by: Actor | None) -> Campaign:
    """The campaign as it was before. Raises UnknownCampaign, WrongState and Pruned."""
    campaign = campaigns.named(connection, name, to_change=True)
    if verb is Verb.RESUME:
        campaign.check_whole()
    if not campaigns.change(connection, campaign.id, verb):
        raise WrongState(name, verb, campaign.state)
    if verb is Verb.RESUME and campaign.state is State.FAILED and campaign.gateway == LOG:
        suspect(connection, log_dir, campaign)
    states = {"state": campaign.state}, {"state": TRANSITIONS[verb].end}
    trail.note(connection, by, Deed(verb), campaign=name, before=states[0], after=states[1])
    return campaign
