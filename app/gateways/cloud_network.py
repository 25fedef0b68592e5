"""What all networks that are called by HTTP have in common: see gateways/base.Network."""

import asyncio
import logging
from contextlib import suppress
from urllib.parse import urlsplit

from app.errors import GatewayAway
from app.gateways.account_network import AccountNetwork, trusting
from app.gateways.cloud_account import CloudAccount

log = logging.getLogger(__name__)


class CloudNetwork(AccountNetwork):
    """Fields of Network, from an account."""

    calls: int = 1

    def __init__(self, name: str, account: CloudAccount) -> None:
        super().__init__(name, account)
        self._cloud = account

    def check_account(self) -> None:
        """Raises ConfigError where nothing can even be tried."""
        self._cloud.secret()
        trusting(self._cloud.tls_ca)

    def national(self, number: str) -> int:
        """The number as the ledger has it; 0 for what is none."""
        return national(number, self._cloud.country_code)

    async def check(self) -> None:
        """See Network. Whether the secret is right is seen by the first message alone."""
        await self.reach()

    async def reach(self) -> None:
        """Connect, and hang up. Raises GatewayAway: who cannot be reached is not to be intended for."""
        account = self._cloud
        found = urlsplit(account.url)
        port = found.port or (443 if found.scheme == "https" else 80)
        try:
            async with asyncio.timeout(account.connects_within_s):
                context = trusting(account.tls_ca) if found.scheme == "https" else None
                _, writer = await asyncio.open_connection(found.hostname, port, ssl=context)
        except (OSError, TimeoutError) as error:
            why = "it does not answer" if isinstance(error, TimeoutError) else str(error)
            raise GatewayAway("gateway_unreachable", address=account.address, why=why) from None
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def national(number: str, country_code: str) -> int:
    """The number as the ledger has it; 0 for what is none."""
    digits = number.strip().lstrip("+")
    digits = digits.removeprefix(country_code) if len(digits) > 11 else digits
    return int(digits) if digits.isdecimal() and len(digits) < 19 else 0
