"""Receipts and replies on their way from a link to whoever records them: in batches, in order, answered after that."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from app.gateways.smpp import status
from app.gateways.smpp.pdu import Pdu

log = logging.getLogger(__name__)

OnDeliver = Callable[[Sequence[Pdu]], Awaitable[None]]
"""Records a batch, which is acknowledged once it returns. Where it raises the message centre sends the batch again."""
BATCH = 500


class Inbound:
    """What one link brought. `answer(pdus, status)` answers on it; `hold` and `release` stop and start reading."""

    def __init__(
        self,
        on_deliver: OnDeliver | None,
        answer: Callable[[Sequence[Pdu], int], None],
        hold: Callable[[], None],
        release: Callable[[], None],
        most: int,
    ) -> None:
        self._on_deliver = on_deliver
        self._answer = answer
        self._hold = hold
        self._release = release
        self._most = most
        self._waiting: deque[Pdu] = deque()
        self._work: asyncio.Task[None] | None = None
        self._is_over = False
        self.is_holding = False

    def take(self, pdu: Pdu) -> None:
        """A deliver_sm or data_sm has come."""
        if self._is_over:
            return
        if self._on_deliver is None:
            self._answer([pdu], status.ESME_RX_T_APPN)
            return
        self._waiting.append(pdu)
        if len(self._waiting) >= self._most and not self.is_holding:
            self.is_holding = True
            self._hold()
        if self._work is None:
            self._work = asyncio.create_task(self._record(self._on_deliver))

    async def _record(self, on_deliver: OnDeliver) -> None:
        """Ends when nothing waits. What came before the link was lost is recorded, too: it may not come again."""
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                if self.is_holding and len(self._waiting) <= self._most // 2:
                    self.is_holding = False
                    self._release()
                try:
                    await on_deliver(batch)
                except Exception:
                    log.exception("receipts and replies could not be recorded", extra={"messages": len(batch)})
                    self._answer(batch, status.ESME_RX_T_APPN)
                else:
                    self._answer(batch, status.ESME_ROK)
        finally:
            self._work = None

    async def drained(self) -> None:
        """Wait until nothing waits any more."""
        while self._work is not None:
            await asyncio.wait([self._work])

    def end(self) -> None:
        """Take nothing more: what comes from here on is not acknowledged, and the message centre sends it again. What
        came before is recorded."""
        self._is_over = True

    async def stop(self) -> None:
        """Record nothing more. What is not acknowledged the message centre sends again."""
        if self._work is not None:
            self._work.cancel()
            await self.drained()
