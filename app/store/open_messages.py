"""Messages of a gateway whose last word is not known, accepted or in doubt: for gateways that have to be asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from app.domain.delivery import Delivery
from app.domain.receipt import RECEIPTS_FOR_S
from app.store.messages import Message, from_rows
from app.store.tables import campaigns, messages, shards

ASKED_FOR = timedelta(seconds=RECEIPTS_FOR_S)
"""So long after a message was submitted its gateway is asked for it, unless it says otherwise."""


def since(connection: Connection, gateway: str, asked_for: timedelta = ASKED_FOR) -> datetime | None:
    """When the first of the campaigns began that have such messages; None where there are none."""
    query = (
        sa.select(campaigns.c.created_at)
        .join(shards, shards.c.campaign_id == campaigns.c.id)
        .where(_has(gateway, asked_for))
    )
    found: datetime | None = connection.execute(query.order_by(campaigns.c.created_at).limit(1)).scalar()
    return max(found, datetime.now(UTC) - asked_for) if found else None


def page(
    connection: Connection, gateway: str, after: tuple[int, int], limit: int, asked_for: timedelta = ASKED_FOR
) -> Sequence[Message]:
    """The first `limit` of one campaign, by campaign and customer, from behind these two on; none at the end."""
    campaign_id, customer_id = after
    ranges = connection.execute(
        sa.select(shards.c.campaign_id, shards.c.number, shards.c.after_id, shards.c.to_id)
        .join(campaigns, shards.c.campaign_id == campaigns.c.id)
        .where(
            _has(gateway, asked_for),
            sa.or_(
                shards.c.campaign_id > campaign_id,
                sa.and_(shards.c.campaign_id == campaign_id, shards.c.to_id > customer_id),
            ),
        )
        .order_by(shards.c.campaign_id, shards.c.after_id)
    ).all()
    for each in ranges:
        first = max(each.after_id, customer_id) if each.campaign_id == campaign_id else each.after_id
        query = sa.select(messages).where(
            messages.c.campaign_id == each.campaign_id,
            messages.c.customer_id > first,
            messages.c.customer_id <= each.to_id,
            messages.c.state.in_([Delivery.ACCEPTED, Delivery.UNKNOWN]),
            messages.c.submitted_at > datetime.now(UTC) - asked_for,
        )
        if found := from_rows(connection.execute(query.order_by(messages.c.customer_id).limit(limit))):
            return found
    return []


def _has(gateway: str, asked_for: timedelta) -> ColumnElement[bool]:
    is_recent = sa.or_(campaigns.c.finished_at.is_(None), campaigns.c.finished_at > datetime.now(UTC) - asked_for)
    return sa.and_(campaigns.c.gateway == gateway, is_recent, shards.c.accepted + shards.c.in_doubt > 0)
