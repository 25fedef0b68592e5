"""Who is not greeted, and why. Pure."""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a customer is not greeted. Of several the first in this order counts. What is said of each stands in
    docs/audience.md, too: `python -m tests.house.app_settings` renews it."""

    NO_MOBILE = "no_mobile"
    """There is none, or it is blank."""
    BAD_MOBILE = "bad_mobile"
    """It is not 11 digits that begin with 13 to 19, after blanks around and inside it, full-width digits, dashes and
    `+86` or `0086` were put right; the message shows that form."""
    NO_NAME = "no_name"
    """There is none, or it is blank."""
    DUPLICATE = "duplicate"
    """Somebody else, as a rule with a lower id, gets the message for the same mobile in that one form; not with
    `--allow-duplicates`."""
    OPTED_OUT = "opted_out"
    """Their number wants no messages under the gateway's signature, see `python -m app opt-outs`."""
    TOO_LONG = "too_long"
    """With their values the text has more parts than the gateway takes."""
    BAD_VALUE = "bad_value"
    """A value of theirs is none that the provider allows in a template: empty, too long, a link, or with 【】 or []."""


class Reject(NamedTuple):
    """One customer who is not greeted. There is nothing in it that a log may not hold."""

    customer_id: int
    reason: Reason
