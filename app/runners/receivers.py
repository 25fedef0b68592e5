"""A process of the server's own for each gateway, which holds its receiving session as long as the server lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy import Engine

from app.catalogue import english
from app.errors import ConfigError
from app.gateways.base import Network
from app.receiving.receiver import receive
from engine import Server

log = logging.getLogger(__name__)

WITHOUT_GATEWAYS_S = 3.0
"""The engine's own."""
AFTER_ANSWERS_S = 5.0
AGAIN_AFTER_S = 30.0


def add_receivers(server: Server, database: Engine, networks: Mapping[str, Network]) -> None:
    """Before the start."""
    for name, network in networks.items():
        server.add_process(f"receiver {name}", _receiver(database, network))


def stops_within_s(networks: Mapping[str, Network]) -> float:
    """How long a worker may take to stop: who sends over a network stops with exact counts once the last answer is
    there, or the time for it is over."""
    longest_s = max((each.answer_timeout_s + AFTER_ANSWERS_S for each in networks.values()), default=0.0)
    return max(WITHOUT_GATEWAYS_S, longest_s)


def _receiver(database: Engine, network: Network) -> Callable[[Server], Awaitable[None]]:
    async def hold(_server: Server) -> None:
        try:
            await receive(database, network)
        except ConfigError as error:  # as a password that is not there
            log.error("gateway cannot receive", extra={"gateway": network.name, "error": english().word_error(error)})
            await asyncio.sleep(AGAIN_AFTER_S)

    return hold
