"""The scheduler's side of a fleet: orders go to a broker, and what comes back comes by the database alone."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.campaigns.leased import Lease
from app.domain.campaign import LOG
from app.domain.orders import ShardOrder
from app.runners import orders
from app.runners.base import ANY_FOLDER
from app.runners.orders import Order
from app.runners.scheduler import Scheduler
from app.store import campaigns, hosts, reports, shards
from app.store.faults import reason, write

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 0.25
"""Reports are read so often: a worker waits that long for its next order, where there is none in reserve."""
AGAIN_AFTER_S = 1.0
"""A broker that could not be reached is left alone for so long."""

Publish = Callable[[Order, str, str], None]
"""`publish(order, text, folder)`: for an order that needs a folder of logs, its name, or ANY_FOLDER; else ''. It raises
whatever is wrong with the broker."""


class SharedWorkers:
    """See Fleet. `owner` is the name of the server's folder of logs, which no other server has: one that comes back
    after a crash need not wait for its own lease."""

    def __init__(self, database: Engine, owner: str) -> None:
        self._database = database
        self.lease = Lease(database, "scheduler", owner)

    def places(self) -> int:
        """See Fleet. One order waits for the first worker that comes, so that it begins at once."""
        with self._database.connect() as connection:
            return max(1, hosts.places(connection))

    def reports(self) -> list[str]:
        """See Fleet."""
        return write(self._database, reports.take)


class BrokerRunner:
    """See Runner. Everything is published from one thread, so that nobody waits for the broker; an order that it does
    not take comes back to the scheduler. To be made where the event loop runs."""

    def __init__(self, database: Engine, publish: Publish) -> None:
        self._database = database
        self._publish = publish
        self.scheduler: Scheduler
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="broker")
        self._has_log: dict[int, bool] = {}
        """By campaign: whether it goes to logs, which is fixed at its trigger."""
        self._away_until = 0.0
        """Monotonic seconds; 0 while it is there."""
        self._away_since = 0.0
        """Monotonic seconds in which it began not to take the first order that it did not take."""
        self._was_unread = False
        """Whether the database could not be asked last time."""

    def post(self, order: Order) -> None:
        """See Runner."""
        self._thread.submit(self._carry, order)

    def close(self) -> None:
        """See Runner."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _carry(self, order: Order) -> None:
        if time.monotonic() < self._away_until:
            self._loop.call_soon_threadsafe(self.scheduler.on_unsent, order)
            return
        try:
            folder = self._folder(order)
        except SQLAlchemyError as error:
            if not self._was_unread:
                log.warning("database cannot be read, orders wait", extra={"error": reason(error)})
            self._was_unread = True
            self._loop.call_soon_threadsafe(self.scheduler.on_unsent, order)
            return
        self._was_unread = False
        began = time.monotonic()
        try:
            self._publish(order, orders.write(order), folder)
        except Exception as error:  # whatever the broker's library raises: the order is not on its way
            if not self._away_until:
                self._away_since = began
                log.warning("broker cannot be reached, trying again", extra={"error": reason(error)})
            self._away_until = time.monotonic() + AGAIN_AFTER_S
            self._loop.call_soon_threadsafe(self.scheduler.on_unsent, order)
        else:
            if self._away_until:
                log.info("broker is reached again")
                self._loop.call_soon_threadsafe(self.scheduler.on_carrier_back, self._away_since)
            self._away_until = 0.0

    def _folder(self, order: Order) -> str:
        """A shard that goes to a log goes on where it is, as long as there is life; then wherever somebody comes."""
        if not isinstance(order, ShardOrder):
            return ""
        if order.campaign_id not in self._has_log:
            with self._database.connect() as connection:
                campaign = campaigns.get(connection, order.campaign_id)
            self._has_log[order.campaign_id] = campaign is not None and campaign.gateway == LOG
        if not self._has_log[order.campaign_id]:
            return ""
        with self._database.connect() as connection:
            return shards.folder_for(connection, order.campaign_id, order.number) or ANY_FOLDER
