"""Who is not greeted, and why. Pure."""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a customer is not greeted. Of several the first in this order counts."""

    NO_MOBILE = "no_mobile"  # none, or blanks
    BAD_MOBILE = "bad_mobile"  # something that cannot be dialled, see mobile.py
    NO_NAME = "no_name"  # none, or blanks
    DUPLICATE = "duplicate"  # somebody else gets the message for the same mobile


class Reject(NamedTuple):
    """One customer who is not greeted. There is nothing in it that a log may not hold."""

    customer_id: int
    reason: Reason
