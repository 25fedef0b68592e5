"""What a gateway tells us of a message after it took it, and what people answer. Pure."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from app.domain.delivery import Delivery

RECEIPTS_FOR_S = 259_200
"""How long receipts may come after a campaign is finished, unless its gateway says otherwise: 72 hours, as long as
operators usually try to deliver."""
OPT_OUT_WORDS = frozenset(["R", "T", "TD", "N", "退订", "STOP", "UNSUBSCRIBE"])
"""Replies that mean no, in their one form. Sources: 通信短信息服务管理规定 (MIIT, 2015) article 20, and what the
operators ask senders to honour; STOP and UNSUBSCRIBE, CTIA Messaging Principles section 5.1.3."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """News of one message, or of one part of it."""

    provider_id: str
    mobile: int
    """The number that it went to; 0 where the gateway did not say."""
    state: Delivery
    """One of delivery.RECEIPTS."""
    error: str
    received_at: datetime
    attempt: tuple[int, int, int] | None = None
    """Campaign, customer and epoch of the message, where the gateway told us an id of ours; it says nothing of a later
    attempt."""
    reference: str = ""
    """What the gateway was told with the message and says again: reference_of, or that and the customer's id; of a
    message that somebody sent to try it, something else. '' where it does not say it."""


def reference_of(campaign_id: int, epoch: int) -> str:
    """What a gateway is told with each message, to be told again by it: of which attempt it was."""
    return f"{campaign_id}-{epoch}"


def may_be_of(reference: str, campaign_id: int, customer_id: int, epoch: int) -> bool:
    """Whether a receipt with this reference can be of that message, sent by that epoch."""
    ours = reference_of(campaign_id, epoch)
    return reference in {"", ours, f"{ours}-{customer_id}"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody answered."""

    mobile: int
    text: str
    received_at: datetime


def means_no(text: str) -> bool:
    """Whether a reply asks for no more messages: full-width and small letters too, with blanks and marks around it."""
    plain = unicodedata.normalize("NFKC", text).strip().strip(".。!\"'“”‘’[]【】()").strip()
    return plain.upper() in OPT_OUT_WORDS
