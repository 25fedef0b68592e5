"""What a provider's code says about a message that it did not take, and the answer that comes of it. Pure."""

from enum import StrEnum

from app.domain.delivery import Delivery
from app.gateways.base import Answer


class Verdict(StrEnum):
    """What to do after it."""

    PERMANENT = "permanent"
    """The same again would be refused again."""
    TEMPORARY = "temporary"
    """The same may be taken later."""
    THROTTLED = "throttled"
    """We are too fast; it is no attempt."""
    OURS = "ours"
    """Something is wrong with the account, its signature or its template: everybody else would be refused as well."""
    DOUBT = "doubt"
    """Perhaps it was taken."""


def answer(token: int, verdict: Verdict, code: str, said: str = "") -> Answer:
    """`code` is the provider's name for why not, `said` its sentence."""
    if verdict is Verdict.PERMANENT:
        return Answer(token, Delivery.REFUSED, error=code)
    if verdict is Verdict.DOUBT:
        return Answer(token, Delivery.UNKNOWN, error=code)
    if verdict is Verdict.OURS:
        return Answer(token, Delivery.RETRY, error=code, is_unsent=True, fault=f"{code}: {said}" if said else code)
    return Answer(token, Delivery.RETRY, error=code, is_throttled=verdict is Verdict.THROTTLED)


def unsent(token: int, why: str) -> Answer:
    """The call did not get out."""
    return Answer(token, Delivery.RETRY, error=why, is_unsent=True)
