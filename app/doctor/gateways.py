"""Examines the gateways: each is connected to, and left again."""

import asyncio
from collections.abc import Iterator

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.errors import ConfigError, GatewayAway
from app.gateways.accounts import Account, SmppAccount
from app.gateways.networks import accounts_of, network_of
from app.sentence import Sentence

WITHIN_S = 15.0
"""For each, all at once: ten to be bound, and some to leave in order."""
_ABOUT = {
    "gateway_away.refused": "account",
    "gateway_away.certificate": "certificate",
    "gateway_away.tls": "tls",
}
ALREADY_BOUND = "ESME_RALYBND"


def examine(settings: Config, *, connects: bool = True) -> Iterator[Finding]:
    """One finding for each gateway, none where there are none. Nothing is sent. Without `connects` only the file is
    looked at, and nothing said where it is right."""
    try:
        accounts = accounts_of(settings)
    except ConfigError as error:
        for each in error.problems:
            yield problem("gateways", each, Sentence("advice.not_before"))
        return
    if connects:
        yield from asyncio.run(_examine_all(accounts))


async def _examine_all(accounts: dict[str, Account]) -> list[Finding]:
    return await asyncio.gather(*(_examine(name, account) for name, account in accounts.items()))


async def _examine(name: str, account: Account) -> Finding:
    where = account.address
    try:
        async with asyncio.timeout(WITHIN_S):
            await network_of(name, account).check()
    except ConfigError as error:
        return problem("gateways", _of(name, error.sentence), Sentence("advice.not_before"))
    except GatewayAway as error:
        if ALREADY_BOUND in str(error.sentence.facts.get("status", "")):
            return warning("gateways", _of(name, error.sentence), Sentence("advice.gateway_bound"))
        about = _ABOUT.get(error.sentence.code, "address")
        return problem("gateways", _of(name, error.sentence), Sentence(f"advice.gateway_{about}"))
    except TimeoutError:
        silent = Sentence("gateway_away.silent", where=where)
        return problem("gateways", _of(name, silent), Sentence("advice.gateway_address"))
    if isinstance(account, SmppAccount):
        return ok("gateways", Sentence("doctor.gateway", gateway=name, where=where))
    return ok("gateways", Sentence("doctor.gateway_reached", gateway=name, where=where))


def _of(name: str, what: Sentence) -> Sentence:
    return Sentence("doctor.of_gateway", gateway=name, what=what)
