"""What a provider sends to us by itself, for those whose requests can be told from anybody else's."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.receipt import Receipt, Reply
from app.gateways.accounts import Account
from app.gateways.twilio.account import TwilioAccount


class Pushed(Protocol):
    """Of one account. It may be asked by several threads."""

    signature_header: str
    """Where the provider's signature stands."""

    def read(self, query: str, body: bytes, signature: str) -> Sequence[Receipt | Reply] | None:
        """The news in a request; None where the provider did not sign it, of which nothing is believed."""


def pushed_of(account: Account) -> Pushed | None:
    """None where the provider sends nothing by itself to this account, or nothing that it signs. Raises ConfigError
    where the secret is not there."""
    if isinstance(account, TwilioAccount) and account.status_callback and account.receipts:
        from app.gateways.twilio.pushed import PushedByTwilio  # noqa: PLC0415  who has none needs none

        return PushedByTwilio(account)
    return None
