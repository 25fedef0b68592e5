"""Who gets the message for a number that several had when the campaign was prepared, once their turn comes.

The lowest id keeps it. Where the keeper was deleted or changed before, the first of the others who is asked inherits,
which is noted before it is sent: whoever of them comes later, on whichever machine, finds that somebody has it.
"""

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from app.domain.mobile import normalise
from app.domain.people import People
from app.domain.reject import Reason
from app.errors import Overtaken
from app.store import customers, heirs, rejects, shards
from app.store.campaigns import Campaign
from app.store.duplicates import Duplicates, Holder
from app.store.faults import write


@dataclass(frozen=True, slots=True)
class Turn:
    """What was found for a page."""

    duplicates: Collection[int]
    """Ids of those on it who are not to be sent."""
    kept: list[int] = field(default_factory=list)
    """Keepers on it who are greeted."""
    lost: list[int] = field(default_factory=list)
    """Keepers in its range who are not greeted for their number: gone, or changed."""
    ended: list[int] = field(default_factory=list)
    """Keepers whose heir was in its range, and is gone or changed."""


def decide(
    database: Engine, campaign: Campaign, duplicates: Duplicates, people: People, after_id: int, to_id: int
) -> Turn:
    """For the customers with `after_id < id <= to_id`. A page on which nobody shares a number costs nothing, another
    one two short questions. To decide again gives the same, unless somebody was changed meanwhile."""
    not_sent = set(duplicates.within(after_id, to_id))
    holders = duplicates.holders(after_id, to_id)
    if not holders:
        return Turn(not_sent)
    holding = {each.customer_id for each in holders if _holds(people, each)}
    away = {
        each.keeper_id: each.number
        for each in holders
        if not after_id < each.keeper_id <= to_id and each.customer_id in holding
    }
    with database.connect() as connection:
        found = customers.some(connection, campaign.audience, sorted(away))
        holding.update(number for number, mobile, name in found if _number(mobile, name) == away[number])
        # After that: a keeper who was there then and whose turn has passed meanwhile is among these, or was greeted.
        heir_of = heirs.of(connection, campaign.id, {each.keeper_id for each in holders})
    wanted: dict[int, int] = {}
    for customer_id, keeper_id, _ in holders:
        if customer_id not in holding or heir_of.get(keeper_id) == customer_id:
            not_sent.discard(customer_id)  # changed since, or the heir
        elif keeper_id not in heir_of:
            if keeper_id not in holding:
                wanted.setdefault(keeper_id, customer_id)
        else:
            not_sent.add(customer_id)
            if heir_of[keeper_id] is None:
                wanted.setdefault(keeper_id, customer_id)
    not_sent -= {wanted[each] for each in _inherit(database, campaign.id, wanted)}
    keepers = [each.keeper_id for each in holders if each.customer_id == each.keeper_id]
    return Turn(
        not_sent,
        kept=[each for each in keepers if each in holding and each not in not_sent],
        lost=[each for each in keepers if each not in holding],
        ended=[
            each.keeper_id
            for each in holders
            if each.customer_id not in holding and heir_of.get(each.keeper_id) == each.customer_id
        ],
    )


def note(connection: Connection, campaign_id: int, turn: Turn) -> None:
    """In the transaction that moves the shard on, after that. Raises Overtaken where somebody inherited meanwhile from
    a keeper who is on the page."""
    if not (turn.kept or turn.lost or turn.ended):
        return
    known = heirs.of(connection, campaign_id, [*turn.kept, *turn.lost])
    if overtaken := [each for each in turn.kept if known.get(each, each) != each]:
        raise Overtaken("overtaken", count=len(overtaken))
    heirs.open_to(connection, campaign_id, [each for each in turn.lost if each not in known])
    for each in turn.ended:
        heirs.disinherit(connection, campaign_id, each)


def as_recorded(
    connection: Connection, campaign_id: int, duplicates: Duplicates, people: People, after_id: int, to_id: int
) -> Collection[int]:
    """Who of a page that was sent was not to be, by what is known of them now and what was noted then."""
    not_sent = set(duplicates.within(after_id, to_id))
    holders = duplicates.holders(after_id, to_id)
    if not holders:
        return not_sent
    heir_of = heirs.of(connection, campaign_id, {each.keeper_id for each in holders})
    doubtful = []
    for each in holders:
        customer_id, keeper_id, _ = each
        is_heir = heir_of.get(keeper_id, keeper_id) == customer_id
        if is_heir:
            not_sent.discard(customer_id)
        elif customer_id == keeper_id or not _holds(people, each):
            doubtful.append(each)
    if doubtful:
        found = rejects.between(connection, campaign_id, None, after_id, to_id)
        rejected = {each.customer_id for each in found if each.reason is Reason.DUPLICATE}
        for each in doubtful:
            if each.customer_id in rejected:
                not_sent.add(each.customer_id)
            else:
                not_sent.discard(each.customer_id)
    return not_sent


def _inherit(database: Engine, campaign_id: int, wanted: dict[int, int]) -> set[int]:
    if not wanted:
        return set()
    with database.connect() as connection:
        every = [each for each in shards.of_campaign(connection, campaign_id) if not each.late]
    ends = [each.to_id for each in every]
    shard_of = {keeper_id: every[bisect_left(ends, keeper_id)].number for keeper_id in wanted}
    return write(database, lambda connection: heirs.claim(connection, campaign_id, wanted, shard_of))


def _holds(people: People, holder: Holder) -> bool:
    """Whether a customer is on the page and can be greeted at the number that they had."""
    place = bisect_left(people.ids, holder.customer_id)
    if place == len(people) or people.ids[place] != holder.customer_id:
        return False
    return _number(people.mobiles[place], people.names[place]) == holder.number


def _number(mobile: str, name: str) -> int | None:
    digits = normalise(mobile)
    return int(digits) if digits and name.strip() else None
