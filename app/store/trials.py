"""Rows of `trials`: messages that somebody sent to see whether a gateway works. They are in no campaign, and so their
receipts would be looked for in vain, or taken for one of a message in doubt to the same number."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from app.domain.delivery import Delivery, may_follow_receipt
from app.domain.receipt import Receipt
from app.store.tables import trials

KEPT_FOR = timedelta(days=30)
"""Longer than any operator tries to deliver."""


def note(connection: Connection, gateway: str, provider_ids: Iterable[str]) -> None:
    """The gateway took one, under these ids, one for each of its parts."""
    now = datetime.now(UTC)
    connection.execute(trials.delete().where(trials.c.submitted_at < now - KEPT_FOR))
    fresh = {each[:64] for each in provider_ids} - _ids(connection, gateway)
    rows = {"gateway": gateway, "submitted_at": now, "state": Delivery.ACCEPTED, "error": ""}
    if fresh:
        connection.execute(trials.insert(), [{**rows, "provider_id": each} for each in sorted(fresh)])


def settle(connection: Connection, gateway: str, receipts: Sequence[Receipt]) -> set[str]:
    """Note what receipts say of trials; the ids of those that are."""
    known = _ids(connection, gateway) if receipts else set()
    for each in receipts:
        if each.provider_id in known and may_follow_receipt(Delivery.ACCEPTED, each.state):
            is_it = (trials.c.gateway == gateway) & (trials.c.provider_id == each.provider_id)
            first = trials.update().where(is_it, trials.c.state == Delivery.ACCEPTED)
            connection.execute(first.values(state=each.state, error=each.error[:64]))
    return known


def _ids(connection: Connection, gateway: str) -> set[str]:
    """There are few of them, for people send them one by one."""
    return set(connection.execute(sa.select(trials.c.provider_id).where(trials.c.gateway == gateway)).scalars())


def fate(connection: Connection, gateway: str, provider_ids: Sequence[str]) -> tuple[Delivery, str]:
    """What became of the message of these parts, and the gateway's own word for why not: delivered once every part
    is, anything else as soon as one is."""
    query = sa.select(trials.c.state, trials.c.error).where(
        trials.c.gateway == gateway, trials.c.provider_id.in_([each[:64] for each in provider_ids])
    )
    found = [(Delivery(state), error) for state, error in connection.execute(query)]
    failed = [each for each in found if each[0] not in {Delivery.ACCEPTED, Delivery.DELIVERED}]
    if failed:
        return failed[0]
    is_whole = bool(found) and all(state is Delivery.DELIVERED for state, _ in found)
    return Delivery.DELIVERED if is_whole else Delivery.ACCEPTED, ""
