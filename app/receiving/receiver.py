"""Holds a gateway's receiving session as long as the server lives."""

import asyncio

from sqlalchemy import Engine

from app.gateways.base import Network
from app.receiving.incoming import Incoming
from app.receiving.outstanding import OfGateway


async def receive(database: Engine, network: Network) -> None:
    """For ever, or until cancelled. One process of all that share the database looks at early receipts; that several do
    harms nobody."""
    incoming = Incoming(database, network.name, network.opt_out_key, network.receipts_for_s)
    jobs = [
        asyncio.create_task(incoming.run(looks_at_early=True)),
        asyncio.create_task(network.receive(incoming.take, OfGateway(database, network.name, network.receipts_for_s))),
    ]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in jobs:
            each.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
