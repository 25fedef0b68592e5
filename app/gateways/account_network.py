"""What every network has from its account in the gateways file: see gateways/base.Network."""

import ssl
from pathlib import Path

from app.domain.delivery import Delivery
from app.errors import ConfigError
from app.gateways.accounts import SmppAccount
from app.gateways.cloud_account import CloudAccount
from app.sentence import Sentence


class AccountNetwork:
    """Fields of Network, from an account of any kind."""

    def __init__(self, name: str, account: SmppAccount | CloudAccount) -> None:
        self.name = name
        self.rate = account.rate
        self.binds = account.binds
        self.answer_timeout_s = account.answer_timeout_s
        self.validity_s = account.validity_s
        self.receipts_for_s = account.receipts_for_s if account.receipts else 0
        self.doubt = Delivery.RETRY if account.unknown == "resend" else Delivery.UNKNOWN
        self.max_parts = account.max_parts
        self.price = account.price_of_part
        self.by_parts = False

    @property
    def hears(self) -> bool | None:
        """See Network."""
        return None

    @property
    def why_deaf(self) -> Sentence | None:
        """See Network."""
        return None


def trusting(tls_ca: Path | None) -> ssl.SSLContext:
    """By these certificates the other side's is trusted; None: by the system's. Raises ConfigError."""
    try:
        return ssl.create_default_context(cafile=str(tls_ca) if tls_ca else None)
    except OSError as error:
        raise ConfigError([Sentence("gateways.cannot_read", path=tls_ca, why=error.strerror)]) from None
