"""Holds a gateway's receiving session as long as the server lives."""

import asyncio
import logging
import time
from functools import partial

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.gateways.base import Network
from app.receiving.incoming import Incoming
from app.receiving.outstanding import OfGateway
from app.store import contacts
from app.store.clock import lease_s
from app.store.faults import reason, write
from app.store.gateway_totals import receivers_seat

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""For whether the session is bound."""


async def receive(database: Engine, network: Network) -> None:
    """For ever, or until cancelled. One process of all that share the database looks at early receipts; that several do
    harms nobody."""
    incoming = Incoming(database, network.name, network.opt_out_key, network.receipts_for_s, by_parts=network.by_parts)
    jobs = [
        asyncio.create_task(incoming.run(looks_at_early=True)),
        asyncio.create_task(network.receive(incoming.take, OfGateway(database, network.name, network.receipts_for_s))),
        asyncio.create_task(_tell(database, network)),
    ]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in jobs:
            each.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _tell(database: Engine, network: Network) -> None:
    """Whether we are bound: at once when that changes, and again before a lease is over."""
    of, every_s = (network.name, receivers_seat()), lease_s(database) / 3
    told: bool | None = None
    told_at = 0.0
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        hears = network.hears
        if hears is None or (hears is told and time.monotonic() < told_at + every_s):
            continue
        say = partial(contacts.tell, gateway=of[0], seat=of[1], is_up=hears, why=network.why_deaf)
        try:
            await asyncio.to_thread(write, database, say)
        except SQLAlchemyError as error:  # as long as it is away, nobody can look either
            log.warning("not told whether a gateway is there", extra={"gateway": network.name, "error": reason(error)})
        else:
            told, told_at = hears, time.monotonic()
