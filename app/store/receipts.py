"""Receipts meet their messages: by the gateway's id, or later by the number of one that is in doubt."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.chunk import Counts
from app.domain.delivery import Delivery, may_follow_receipt
from app.domain.receipt import RECEIPTS_FOR_S, Receipt, may_be_of
from app.domain.traffic import RECEIPT_S, RECEIPTS, UNMATCHED, Span, Traffic, took
from app.store import gateway_totals, ledger, messages, parts, tables, trials
from app.store.clock import asked
from app.store.database import by_index, read_committed
from app.store.messages import Held, Key
from app.store.parts import UNNAMED, Attempt, Part
from app.store.tables import campaigns, early_receipts

BY_NUMBER_AFTER = timedelta(seconds=20)
"""So long a receipt waits for its id to come on record before it is taken for one of a message in doubt: longer than
the time for an answer and the way of a chunk."""
KEPT_FOR = timedelta(seconds=RECEIPTS_FOR_S)
"""A receipt that nobody asked for is forgotten then, unless its gateway says otherwise."""
CLOCKS_DIFFER = timedelta(minutes=1)
"""By so much at most the moments of a submission and of its receipt may be the other way round."""
LOOKED_AT = 1_000
"""Early receipts in one look."""


class _Change(NamedTuple):
    """What a message comes to by all receipts of one transaction together."""

    state: Delivery
    error: str
    learnt: str | None
    """Its id, where that came by a receipt."""


class _Found(NamedTuple):
    """What a receipt speaks of."""

    key: Key
    part: Part | None = None
    """None: all of the message."""


class _Doubt(NamedTuple):
    """A message of which nobody knows whether it was taken, or one of which this part's id is not known."""

    key: Key
    epoch: int
    parts: int
    unnamed: int = 0
    """Number of the part; 0: it is the message."""


def apply(connection: Connection, gateway: str, receipts: Sequence[Receipt], seat: int | None = None) -> int:
    """What they say comes into the ledger; those whose message is not on record wait. How many messages changed.
    Acknowledge them to the gateway after the commit, not before. All of its transaction, but for what is no message.
    `seat`: in which they are counted, see gateway_totals.py; that of those who receive without it."""
    read_committed(connection)
    named = [each for each in receipts if each.attempt is not None]
    others = [each for each in receipts if each.attempt is None] if named else receipts
    rows: dict[Key, Held] = {}
    found = _by_id(connection, gateway, [each.provider_id for each in others if each.provider_id], rows)
    known = [each for each in others if each.provider_id in found]
    unknown = [each for each in others if each.provider_id not in found]
    of_trials = trials.settle(connection, gateway, unknown)
    early = _not_waiting(connection, gateway, [each for each in unknown if each.provider_id not in of_trials])
    ahead = timedelta()
    if early or known or named:  # other hosts look at them, and none is known to be right
        ahead = datetime.now(UTC) - asked(connection)
    if early:
        connection.execute(
            early_receipts.insert(),
            [
                {
                    "gateway": gateway,
                    "provider_id": each.provider_id[:64],
                    "mobile": each.mobile,
                    "state": each.state,
                    "error": each.error[:64],
                    "received_at": each.received_at - ahead,
                    "reference": each.reference[:64],
                }
                for each in early
            ],
        )
    matched = [(found[each.provider_id], each) for each in known] + _by_attempt(connection, named)
    changed, traffic = _settle(connection, matched, rows, ahead)
    _count(connection, gateway, seat, traffic)
    return changed


def _not_waiting(connection: Connection, gateway: str, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Those of which none that says the same waits already: whoever pushes sends it again, and again."""
    ids = {each.provider_id[:64] for each in receipts if each.provider_id}
    if not ids:
        return list(receipts)
    columns = early_receipts.c
    query = sa.select(columns.provider_id, columns.mobile, columns.state)
    rows = connection.execute(query.where(columns.provider_id.in_(ids), columns.gateway == gateway))
    known = {(provider_id, mobile, Delivery(state)) for provider_id, mobile, state in rows}
    found = []
    for each in receipts:
        what = (each.provider_id[:64], each.mobile, each.state)
        if not each.provider_id or what not in known:
            found.append(each)
            known.add(what)
    return found


def _by_attempt(connection: Connection, receipts: Sequence[Receipt]) -> list[tuple[_Found, Receipt]]:
    """Those whose message is still at that attempt."""
    of = {each.attempt: each for each in receipts}
    if not of:
        return []
    columns = tables.messages.c
    attempt = (columns.campaign_id, columns.customer_id, columns.epoch)
    rows = connection.execute(sa.select(*attempt).where(sa.tuple_(*attempt).in_(of)))
    return [(_Found((campaign_id, customer_id)), of[campaign_id, customer_id, epoch])
            for campaign_id, customer_id, epoch in rows]  # fmt: skip


def apply_early(
    connection: Connection,
    gateway: str,
    after: int = 0,
    kept_for: timedelta | None = None,
    *,
    by_parts: bool = False,
) -> tuple[int, int]:
    """Look at those that wait, from the id `after` on: how many messages changed, and the last id looked at, 0 at the
    end. Some are known by their ids now; of the others the older ones are of messages in doubt, if any is in doubt for
    that number, or of a part of one: `by_parts`, see gateways/base.Network. Those that nobody asked for are counted as
    such once, and forgotten after `kept_for`, KEPT_FOR without it."""
    read_committed(connection)
    now = asked(connection)
    too_old = now - max(KEPT_FOR if kept_for is None else kept_for, 2 * BY_NUMBER_AFTER)
    query = sa.select(early_receipts).where(early_receipts.c.gateway == gateway, early_receipts.c.id > after)
    rows = connection.execute(query.order_by(early_receipts.c.id).limit(LOOKED_AT)).all()
    if not rows:
        return 0, 0
    held: dict[Key, Held] = {}
    by_id = _by_id(connection, gateway, [row.provider_id for row in rows if row.provider_id], held)
    of_trials = trials.settle(connection, gateway, [_receipt(row) for row in rows if row.provider_id not in by_id])
    known = by_id.keys() | of_trials
    late = [row for row in rows if row.provider_id not in known and row.received_at < now - BY_NUMBER_AFTER]
    by_number = _by_number(connection, gateway, late, held, by_parts=by_parts)
    matched: list[tuple[_Found, Receipt]] = []
    over, of_nobody = [], []
    for row in rows:
        found = by_id.get(row.provider_id) or by_number.get(row.id)
        if found is not None:
            matched.append((found, _receipt(row)))
        elif row.provider_id not in known and row.received_at < now - BY_NUMBER_AFTER and not row.counted:
            of_nobody.append(row.id)
        if found is not None or row.provider_id in of_trials or row.received_at < too_old:
            over.append(row.id)
    changed, traffic = _settle(connection, matched, held)
    if over:
        connection.execute(early_receipts.delete().where(early_receipts.c.id.in_(over)))
    if of_nobody:
        is_new = early_receipts.c.counted.is_(False)  # another server may have been quicker
        these = early_receipts.update().where(early_receipts.c.id.in_(of_nobody), is_new)
        traffic[UNMATCHED] += connection.execute(these.values(counted=True)).rowcount
    _count(connection, gateway, None, traffic)
    return changed, rows[-1].id if len(rows) == LOOKED_AT else 0


def _count(connection: Connection, gateway: str, seat: int | None, traffic: Traffic) -> None:
    gateway_totals.add(connection, gateway, gateway_totals.receivers_seat() if seat is None else seat, traffic)


def _receipt(row: sa.Row[Any]) -> Receipt:
    return Receipt(row.provider_id, row.mobile, Delivery(row.state), row.error, row.received_at)


def _by_id(
    connection: Connection, gateway: str, provider_ids: Sequence[str], rows: dict[Key, Held]
) -> dict[str, _Found]:
    """A gateway may use an id again after some days: the newest campaign has it then. `rows` gets those that are held
    by the way."""
    if not provider_ids:
        return {}
    whole, split = messages.held_by_id(connection, provider_ids), parts.by_id(connection, provider_ids)
    own = _of_gateway(connection, gateway, {key[0] for _, key, _ in whole} | {part.attempt[0] for _, part in split})
    found: dict[str, _Found] = {}
    for provider_id, key, held in whole:
        rows[key] = held
        if key[0] in own and (provider_id not in found or key[0] >= found[provider_id].key[0]):
            found[provider_id] = _Found(key)
    for provider_id, part in split:
        key = part.attempt[:2]
        if key[0] in own and (provider_id not in found or key[0] >= found[provider_id].key[0]):
            found[provider_id] = _Found(key, part)
    return found


def _of_gateway(connection: Connection, gateway: str, campaign_ids: set[int]) -> set[int]:
    if not campaign_ids:
        return set()
    query = sa.select(campaigns.c.id).where(campaigns.c.id.in_(campaign_ids), campaigns.c.gateway == gateway)
    return set(connection.execute(query).scalars())


def _by_number(
    connection: Connection, gateway: str, late: Sequence[sa.Row[Any]], held: dict[Key, Held], *, by_parts: bool
) -> dict[int, _Found]:
    """What early receipts speak of whose ids nobody knows, by their own ids: each id of the gateway has one message,
    whatever it says of it and how often, and each message one id, or one for each part. What came before a message was
    submitted is not of that one, and what says which attempt it is of is of no other. `held` gets those that are held
    by the way."""
    of = (connection, gateway, {row.mobile for row in late if row.mobile})
    in_doubt = _in_doubt(*of, by_parts=by_parts)
    if not in_doubt:
        return {}
    # Another server may be at it, too: once those messages are ours, what it has found is on record.
    held.update(messages.held(connection, {doubt.key for each in in_doubt.values() for doubt in each} - held.keys()))
    in_doubt = _in_doubt(*of, by_parts=by_parts)
    columns = early_receipts.c
    left = set(connection.scalars(sa.select(columns.id).where(columns.id.in_([row.id for row in late]))))
    of_id = _by_id(connection, gateway, [row.provider_id for row in late if row.provider_id], held)
    by_row: dict[int, _Found] = {}
    for row in late:
        if row.id not in left:
            continue
        found = of_id.get(row.provider_id)
        if found is None and (doubt := _first(in_doubt[row.mobile], row, held)):
            in_doubt[row.mobile].remove(doubt)
            found = _Found(doubt.key)
            if by_parts and doubt.parts > 1:
                part = Part(Attempt(*doubt.key, held[doubt.key].attempts), doubt.unnamed or 1)
                found = _Found(doubt.key, part)
                if not doubt.unnamed:
                    parts.insert_new(connection, {part.attempt: [UNNAMED] * doubt.parts})
                    in_doubt[row.mobile][:0] = [doubt._replace(unnamed=each) for each in range(2, doubt.parts + 1)]
                parts.name(connection, part, row.provider_id)
        if found is not None:
            by_row[row.id] = found
            if row.provider_id:
                of_id[row.provider_id] = found
    return by_row


def _first(in_doubt: Iterable[_Doubt], row: sa.Row[Any], held: Mapping[Key, Held]) -> _Doubt | None:
    """The one that it can be of."""
    came_by = row.received_at + CLOCKS_DIFFER
    for each in in_doubt:
        its = held.get(each.key)
        if its and its.submitted_at <= came_by and may_be_of(row.reference, *each.key, each.epoch):
            return each
    return None


def _in_doubt(
    connection: Connection, gateway: str, mobiles: Collection[int], *, by_parts: bool
) -> dict[int, list[_Doubt]]:
    """The messages to each number of which nobody knows whether they were taken, the oldest first, of those of one
    moment the one of the older campaign; before them the parts of those whose other parts told it."""
    found: dict[int, list[_Doubt]] = defaultdict(list)
    columns = tables.messages.c
    if not mobiles:
        return found
    query = (
        sa.select(columns.mobile, columns.campaign_id, columns.customer_id, columns.epoch, columns.parts)
        .with_hint(tables.messages, by_index(connection, "ix_messages_mobile"))
        .join(campaigns, campaigns.c.id == columns.campaign_id)
        .where(columns.mobile.in_(mobiles), campaigns.c.gateway == gateway)
        .order_by(columns.submitted_at, columns.campaign_id, columns.customer_id)
    )
    if by_parts:
        for row in connection.execute(parts.with_unnamed(query)):
            found[row.mobile].append(_Doubt((row.campaign_id, row.customer_id), row.epoch, row.parts, row.number))
    for row in connection.execute(query.where(columns.state == Delivery.UNKNOWN)):
        found[row.mobile].append(_Doubt((row.campaign_id, row.customer_id), row.epoch, row.parts))
    return found


def _settle(
    connection: Connection,
    matched: Sequence[tuple[_Found, Receipt]],
    rows: Mapping[Key, Held],
    ahead: timedelta = timedelta(),
) -> tuple[int, Traffic]:
    """How many messages changed, and what is to be counted. `ahead` is the clock by which they were received, of the
    database's, by which all was submitted."""
    if not matched:
        return 0, Counter()
    # As a locking read: what was read before may be of a moment ago.
    last = {**rows, **messages.held(connection, {found.key for found, _ in matched} - rows.keys())}
    state = {key: held.state for key, held in last.items()}
    left = parts.undelivered(connection, {found.part.attempt for found, _ in matched if found.part})
    delivered: set[Part] = set()
    counts: dict[tuple[int, int], Counts] = defaultdict(Counts)
    changes: dict[Key, _Change] = {}
    changed = 0
    said: Counter[Delivery] = Counter()
    spans: Counter[Span] = Counter()
    for (key, part), receipt in matched:
        before, after = state.get(key), receipt.state
        if before is None:
            continue
        shard, _, attempts, submitted_at = last[key]
        said[after] += 1
        if part is not None:
            if part.attempt.number != attempts:
                continue  # it says nothing of the last attempt
            if after is Delivery.DELIVERED:
                delivered.add(part)
                left[part.attempt].discard(part.number)
                after = Delivery.ACCEPTED if left[part.attempt] else Delivery.DELIVERED
        if not may_follow_receipt(before, after):
            continue
        state[key] = after
        changed += 1
        spans[submitted_at, receipt.received_at - ahead] += 1
        counts[key[0], shard].move(before, after)
        # An id that came by its receipt alone is noted, for others may follow.
        is_new = before is not Delivery.ACCEPTED if part is None else before is Delivery.UNKNOWN
        learnt = receipt.provider_id[:64] or None if is_new else None
        if learnt is None and key in changes:
            learnt = changes[key].learnt
        changes[key] = _Change(after, receipt.error[:64], learnt)
    parts.deliver(connection, delivered)
    _change(connection, changes)
    for (campaign_id, number), moved in sorted(counts.items()):
        ledger.add(connection, campaign_id, number, moved)
    traffic = took(RECEIPT_S, spans)
    traffic.update({f"{RECEIPTS}:{each.value}": count for each, count in said.items()})
    return changed, traffic


def _change(connection: Connection, changes: Mapping[Key, _Change]) -> None:
    groups: dict[tuple[int, _Change], list[int]] = defaultdict(list)
    for (campaign_id, customer_id), each in changes.items():
        groups[campaign_id, each].append(customer_id)
    for (campaign_id, each), customer_ids in groups.items():
        values = {"provider_id": each.learnt} if each.learnt else {}
        messages.change(connection, campaign_id, customer_ids, each.state, error=each.error, **values)
