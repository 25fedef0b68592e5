"""Rows of `campaigns`, and what needs them together with their shards."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from app.domain.audience import CUSTOMERS
from app.domain.campaign import LOG, TRANSITIONS, ShardState, State, Verb
from app.domain.choice import EVERYBODY
from app.domain.receipt import RECEIPTS_FOR_S
from app.domain.sharding import IdRange
from app.domain.suggestion import closest
from app.domain.tally import Tally
from app.errors import Pruned, UnknownCampaign
from app.sentence import Sentence, read, stored
from app.store.drains import is_open
from app.store.tables import campaigns, shards

MOST_REASON = 500
"""Characters of the column."""
MOST_MEANT = 1_000
"""Campaigns that may be meant by a name that is not there."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign as it is stored."""

    id: int
    name: str
    template: str
    state: State
    reason: Sentence | None
    """Why it failed, None otherwise."""
    created_at: datetime
    finished_at: datetime | None
    allow_duplicates: bool
    prepared_at: datetime | None
    """When it was known whose number stands twice; None with `allow_duplicates`, for then nobody looks."""
    halted_ms: int
    halted_since_ms: int | None
    gateway: str
    """By which its messages go out, fixed at the trigger."""
    template_name: str
    """Under which the gateway has the template, where its provider approved it; '' for a text of its own."""
    receipts_for_s: int
    """How long it goes on learning from receipts once it is over, fixed at the trigger."""
    pruned_at: datetime | None
    """When its details began to be removed: whatever is of one customer, and its logs."""
    audience: str
    """The table or view of those whom it greets, fixed at the trigger."""
    chosen: str
    """How those of its audience were chosen whom it is for, see app/domain/choice.py; '' where it is for all."""

    @property
    def ran_s(self) -> float | None:
        """From the trigger to the end, without the time that it was paused or failed; None until it is over."""
        if self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.created_at).total_seconds() - self.halted_ms / 1000)

    def check_whole(self) -> None:
        """Raises Pruned."""
        if self.pruned_at is not None:
            raise Pruned(self.name, f"{self.pruned_at:%Y-%m-%d}")

    @property
    def learns_until(self) -> datetime | None:
        """When receipts change nothing in it any more; None until it is over, and for one that goes to logs."""
        if self.finished_at is None or self.gateway == LOG:
            return None
        return self.finished_at + timedelta(seconds=self.receipts_for_s)

    def is_settled(self, tally: Tally) -> bool:
        """Whether it is over and nothing in it changes any more by itself: to a network, once none of its messages
        waits for a receipt, or none is to be expected any more."""
        if self.state not in {State.FINISHED, State.CANCELLED}:
            return False
        until = self.learns_until
        return until is None or not tally.may_learn or datetime.now(UTC) >= until

    @property
    def is_preparing(self) -> bool:
        """Whether it runs and nothing may be sent yet, because it is not known whose number stands twice."""
        return self.state is State.RUNNING and self.is_to_be_prepared

    @property
    def is_to_be_prepared(self) -> bool:
        """Whether somebody will look yet whose number stands twice."""
        is_over = self.finished_at is not None
        return not (self.allow_duplicates or self.prepared_at or is_over)


def _from_row(row: Row[tuple[object, ...]]) -> Campaign:
    fields = dict(row._mapping)
    return Campaign(**{**fields, "state": State(fields["state"]), "reason": _reason(fields["name"], fields["reason"])})


def _reason(name: str, text: str) -> Sentence | None:
    if not text:
        return None
    why = read(text)
    # A campaign that failed in an earlier version has its reason in words.
    if why and why.kind == "gateway_fault":
        return Sentence("failed.gateway", why=why, campaign=name)
    if why and (host := why.facts.get("host")):
        return Sentence("failed.on_host", why=why, campaign=name, host=host)
    return Sentence("failed", why=why, campaign=name) if why else Sentence("plain", text=text)


def find(connection: Connection, name: str, *, to_change: bool = False) -> Campaign | None:
    """The campaign of this name; `to_change`: nobody else changes it until the transaction ends."""
    query = sa.select(campaigns).where(campaigns.c.name == name)
    row = connection.execute(query.with_for_update() if to_change else query).first()
    return _from_row(row) if row else None


def named(connection: Connection, name: str, *, to_change: bool = False) -> Campaign:
    """The same. Raises UnknownCampaign, which says what name of the newest campaigns may be meant."""
    found = find(connection, name, to_change=to_change)
    if found is None:
        newest = sa.select(campaigns.c.name).order_by(campaigns.c.id.desc()).limit(MOST_MEANT)
        raise UnknownCampaign(name, closest(name, connection.execute(newest).scalars()))
    return found


def get(connection: Connection, campaign_id: int) -> Campaign | None:
    """The campaign with this id."""
    row = connection.execute(sa.select(campaigns).where(campaigns.c.id == campaign_id)).first()
    return _from_row(row) if row else None


def is_failed(connection: Connection, campaign_id: int) -> bool:
    """Whether it failed, which it stays until the transaction ends: nobody lets it go on meanwhile."""
    query = sa.select(campaigns.c.state).where(campaigns.c.id == campaign_id).with_for_update()
    return connection.execute(query).scalar() == State.FAILED


def audiences(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Which audience each of these campaigns has."""
    rows = connection.execute(sa.select(campaigns.c.id, campaigns.c.audience).where(campaigns.c.id.in_(sorted(ids))))
    return {row.id: row.audience for row in rows}


def audiences_under_way(connection: Connection) -> list[str]:
    """The audiences of campaigns that are not over, each once."""
    is_over = campaigns.c.state.in_([State.FINISHED, State.CANCELLED])
    return list(connection.execute(sa.select(campaigns.c.audience).where(~is_over).distinct()).scalars())


def newest_first(connection: Connection) -> list[Campaign]:
    """Every campaign."""
    return [_from_row(row) for row in connection.execute(sa.select(campaigns).order_by(campaigns.c.id.desc()))]


def page(
    connection: Connection, *, state: State | None, before: int | None, after: int | None, limit: int
) -> list[Campaign]:
    """Campaigns of this state, or of all, with `after < id < before`, newest first: of those after an id the oldest
    `limit`, else the newest."""
    ids = campaigns.c.id
    query = sa.select(campaigns).limit(limit).order_by(ids.desc() if after is None else ids)
    if state is not None:
        query = query.where(campaigns.c.state == state)
    if before is not None:
        query = query.where(ids < before)
    if after is not None:
        query = query.where(ids > after)
    found = [_from_row(row) for row in connection.execute(query)]
    return found if after is None else found[::-1]


def not_long_over(connection: Connection, since: datetime) -> list[Campaign]:
    """Campaigns that are not over, or were not then, oldest first; by the indexes of the state and of the end."""
    not_over = campaigns.c.state.in_([each for each in State if each not in {State.FINISHED, State.CANCELLED}])
    queries = [sa.select(campaigns).where(each) for each in (not_over, campaigns.c.finished_at >= since)]
    # Between the two one may end.
    found = {row.id: row for query in queries for row in connection.execute(query)}
    return [_from_row(found[campaign_id]) for campaign_id in sorted(found)]


def to_get_on(connection: Connection) -> list[int]:
    """Ids of the campaigns that run, by a gateway that is not drained, oldest first."""
    query = sa.select(campaigns.c.id).where(campaigns.c.state == State.RUNNING, is_open())
    return list(connection.scalars(query.order_by(campaigns.c.id)))


def count_by_state(connection: Connection) -> dict[State, int]:
    """How many campaigns are in each state, by the index; a state without any is left out."""
    query = sa.select(campaigns.c.state, sa.func.count()).group_by(campaigns.c.state)
    return {State(state): found for state, found in connection.execute(query)}


def insert(
    connection: Connection,
    name: str,
    template: str,
    ranges: Sequence[IdRange],
    *,
    allow_duplicates: bool = False,
    gateway: str = LOG,
    template_name: str = "",
    receipts_for_s: int = RECEIPTS_FOR_S,
    audience: str = CUSTOMERS,
    chosen: str = EVERYBODY,
    audiences: Sequence[int | None] = (),
) -> int:
    """A new campaign with its shards; one without shards is finished. Its id. Raises IntegrityError when the name is
    taken. `audiences`: how many customers each range has, where that is known."""
    now = datetime.now(UTC)
    state = State.RUNNING if ranges else State.FINISHED
    made = connection.execute(
        campaigns.insert().values(
            name=name,
            template=template,
            state=state,
            reason="",
            created_at=now,
            finished_at=None if ranges else now,
            allow_duplicates=allow_duplicates,
            gateway=gateway,
            template_name=template_name,
            receipts_for_s=receipts_for_s,
            audience=audience,
            chosen=chosen,
        )
    )
    campaign_id: int = made.lastrowid
    if ranges:
        each_has = audiences or [None] * len(ranges)
        new = [_new_shard(campaign_id, each) | {"audience": n} for each, n in zip(ranges, each_has, strict=True)]
        connection.execute(shards.insert(), new)
    return campaign_id


def _new_shard(campaign_id: int, ids: IdRange) -> dict[str, object]:
    nothing_yet = dict.fromkeys(
        ("sent", "male", "female", "unknown", "rejected", "log_bytes", "work_ms", "lease_until_ms"), 0
    )
    return {
        "campaign_id": campaign_id,
        "number": ids.number,
        "after_id": ids.after_id,
        "to_id": ids.to_id,
        "state": ShardState.OPEN,
        "last_id": ids.after_id,
        "owner": "",
        **nothing_yet,
    }


def add_late_shard(connection: Connection, campaign_id: int, ids: IdRange, owner: str, audience: int) -> None:
    """A shard of customers on a list, for the folder that has the campaign's logs. Raises IntegrityError when the
    number is taken."""
    added = {"owner": owner, "audience": audience, "late": True}
    connection.execute(shards.insert(), _new_shard(campaign_id, ids) | added)


def change(connection: Connection, campaign_id: int, verb: Verb, reason: Sentence | None = None) -> bool:
    """Do this to a campaign, by compare-and-set; whether it was done now."""
    return connection.execute(_transition(campaign_id, verb, reason)).rowcount == 1


def _transition(campaign_id: int, verb: Verb, reason: Sentence | None = None) -> sa.Update:
    transition = TRANSITIONS[verb]
    values: dict[str, object] = {"state": transition.end, "reason": stored(reason, MOST_REASON) if reason else ""}
    if transition.end in {State.FINISHED, State.CANCELLED}:
        values["finished_at"] = datetime.now(UTC)
    now_ms = time.time_ns() // 1_000_000
    if verb in {Verb.PAUSE, Verb.FAIL}:
        values["halted_since_ms"] = sa.func.coalesce(campaigns.c.halted_since_ms, now_ms)  # paused, and fails
    elif verb in {Verb.RESUME, Verb.CANCEL}:
        since_ms = sa.func.coalesce(campaigns.c.halted_since_ms, now_ms)
        values["halted_ms"] = campaigns.c.halted_ms + now_ms - since_ms  # before the next, for MySQL goes by the order
        values["halted_since_ms"] = None
    is_allowed = campaigns.c.state.in_(sorted(transition.start))
    return campaigns.update().where(campaigns.c.id == campaign_id, is_allowed).values(**values)


def reopen(connection: Connection, campaign: Campaign) -> bool:
    """A finished campaign runs again, in the transaction that gives it new shards; whether nobody was quicker."""
    since = campaign.finished_at or campaign.created_at
    halted_ms = campaign.halted_ms + max(0, round((datetime.now(UTC) - since).total_seconds() * 1000))
    again = _transition(campaign.id, Verb.REOPEN).where(campaigns.c.pruned_at.is_(None))
    again = again.values(finished_at=None, halted_ms=halted_ms)
    return connection.execute(again).rowcount == 1


def complete(connection: Connection, campaign_id: int | None = None) -> list[Campaign]:
    """Running campaigns of which no shard is open; of all, or this one if it is one of them."""
    query = sa.select(campaigns).where(campaigns.c.state == State.RUNNING, ~_has_open_shards())
    if campaign_id is not None:
        query = query.where(campaigns.c.id == campaign_id)
    return [_from_row(row) for row in connection.execute(query)]


def _has_open_shards() -> ColumnElement[bool]:
    return sa.exists().where(shards.c.campaign_id == campaigns.c.id, shards.c.state != ShardState.FINISHED)


def unprepared(connection: Connection) -> list[int]:
    """Ids of running campaigns whose duplicates are not known yet, oldest first."""
    query = sa.select(campaigns.c.id).where(campaigns.c.state == State.RUNNING, ~is_prepared())
    return list(connection.execute(query.order_by(campaigns.c.id)).scalars())


def is_prepared() -> ColumnElement[bool]:
    """Whether a campaign's messages may be sent."""
    return campaigns.c.allow_duplicates | campaigns.c.prepared_at.is_not(None)


def note_prepared(connection: Connection, campaign_id: int) -> bool:
    """The duplicates are known, and stored in this transaction; whether nobody was quicker."""
    changed = connection.execute(
        campaigns.update()
        .where(campaigns.c.id == campaign_id, campaigns.c.state == State.RUNNING, ~is_prepared())
        .values(prepared_at=datetime.now(UTC))
    )
    return changed.rowcount == 1


def finish_if_complete(connection: Connection, campaign_id: int) -> bool:
    """Running becomes finished when no shard is open; whether it did so now.

    Ask `complete` before: this waits for every shard that is being written to, and what that waits for is the campaign.
    """
    changed = connection.execute(_transition(campaign_id, Verb.FINISH).where(~_has_open_shards()))
    return changed.rowcount == 1
