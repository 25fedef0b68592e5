"""Which messages of a gateway are open, for those gateways that have to be asked what became of them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.domain.receipt import RECEIPTS_FOR_S, reference_of
from app.gateways.base import Open
from app.store import open_messages
from app.store.faults import reason

log = logging.getLogger(__name__)
Result = TypeVar("Result")
AT_ONCE = 500


class OfGateway:
    """See gateways/base.Outstanding. While the database is away there is nothing to ask for."""

    def __init__(self, database: Engine, gateway: str, receipts_for_s: float = RECEIPTS_FOR_S) -> None:
        self._asked_for = timedelta(seconds=receipts_for_s)
        self._database = database
        self._gateway = gateway

    async def since(self) -> datetime | None:
        """See Outstanding."""
        return await self._read(
            lambda connection: open_messages.since(connection, self._gateway, self._asked_for), None
        )

    async def page(self, after: tuple[int, int] = (0, 0)) -> Sequence[Open]:
        """See Outstanding."""

        def read(connection: Connection) -> Sequence[Open]:
            return [
                Open(
                    each.campaign_id,
                    each.customer_id,
                    each.mobile,
                    each.provider_id or "",
                    reference_of(each.campaign_id, each.epoch),
                    each.epoch,
                    each.submitted_at,
                )
                for each in open_messages.page(connection, self._gateway, after, AT_ONCE, self._asked_for)
            ]

        return await self._read(read, [])

    async def _read(self, unit: Callable[[Connection], Result], otherwise: Result) -> Result:
        def read() -> Result:
            with self._database.connect() as connection:
                return unit(connection)

        try:
            return await asyncio.to_thread(read)
        except SQLAlchemyError as error:
            facts = {"gateway": self._gateway, "error": reason(error)}
            log.warning("open messages cannot be looked up, trying again", extra=facts)
            return otherwise
