"""Receipts and replies on their way into the database: several in one transaction, acknowledged after its commit."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.domain.receipt import RECEIPTS_FOR_S, Receipt, Reply, means_no
from app.store import opt_outs, receipts
from app.store.faults import may_pass, reason, write

log = logging.getLogger(__name__)

AT_ONCE = 500
"""News in one transaction."""
EARLY_EVERY_S = 1.0
LONGEST_PAUSE_S = 5.0
"""Between tries while the database is away; nothing is acknowledged meanwhile, so the network sends it again."""


@dataclass(frozen=True, slots=True)
class _Batch:
    news: Sequence[Receipt | Reply]
    done: asyncio.Future[None]


class Incoming:
    """Of one gateway in one process, on one event loop. `opt_out_key`: see gateways/accounts.py. Receipts that nobody
    asked for are kept for `receipts_for_s`. `seat`: of who sends in this process, for what is counted. `by_parts`: see
    gateways/base.Network."""

    def __init__(
        self,
        database: Engine,
        gateway: str,
        opt_out_key: str,
        receipts_for_s: float = RECEIPTS_FOR_S,
        seat: int | None = None,
        *,
        by_parts: bool = False,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._opt_out_key = opt_out_key
        self._seat = seat
        self._by_parts = by_parts
        self._kept_for = timedelta(seconds=receipts_for_s)
        self._waiting: deque[_Batch] = deque()
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="incoming")

    @property
    def waiting(self) -> int:
        """How many times news were taken that wait to be put on record; who gave up is among them."""
        return len(self._waiting)

    async def take(self, news: Sequence[Receipt | Reply]) -> None:
        """Returns once they are on record. The network bounds how many wait: it sends so many without an answer."""
        batch = _Batch(news, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        self._changed.set()
        await batch.done

    async def run(self, *, looks_at_early: bool) -> None:
        """For ever. One process of those that receive for a gateway looks again at receipts that came too early."""
        jobs = [self._record_all()]
        if looks_at_early:
            jobs.append(self._look_at_early())
        try:
            await asyncio.gather(*jobs)
        finally:
            self._thread.shutdown(wait=False)

    async def _record_all(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                together = [self._waiting.popleft()]
                while self._waiting and sum(len(each.news) for each in together) < AT_ONCE:
                    together.append(self._waiting.popleft())
                await self._record([news for each in together for news in each.news])
                for each in together:
                    if not each.done.done():
                        each.done.set_result(None)

    async def _record(self, news: Sequence[Receipt | Reply]) -> None:
        found = [each for each in news if isinstance(each, Receipt)]
        answers = [each for each in news if isinstance(each, Reply)]

        def unit(connection: Connection) -> None:
            receipts.apply(connection, self._gateway, found, self._seat)
            if answers:
                opt_outs.note_replies(connection, self._gateway, answers)
                unwilling = {each.mobile for each in answers if means_no(each.text)}
                if unwilling:
                    opt_outs.add(connection, self._opt_out_key, unwilling, "reply")

        pause_s = 0.1
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, write, self._database, unit)
            except DBAPIError as error:
                if not may_pass(error):
                    raise
                facts = {"gateway": self._gateway, "error": reason(error)}
                log.warning("receipts cannot be recorded, trying again", extra=facts)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            else:
                return

    async def _look_at_early(self) -> None:
        while True:
            await asyncio.sleep(EARLY_EVERY_S)
            after = 0
            try:
                while True:
                    _, after = await asyncio.get_running_loop().run_in_executor(self._thread, self._early, after)
                    if not after:
                        break
            except SQLAlchemyError as error:
                facts = {"gateway": self._gateway, "error": reason(error)}
                log.warning("early receipts cannot be looked at, trying again", extra=facts)

    def _early(self, after: int) -> tuple[int, int]:
        of = (self._gateway, after, self._kept_for)
        return write(self._database, lambda connection: receipts.apply_early(connection, *of, by_parts=self._by_parts))
