"""Sends one message to see whether a gateway works, and waits for what becomes of it. It is in no campaign."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt, Reply
from app.errors import NotTried
from app.gateways.base import Answer, Line, Network, Open, Submission
from app.receiving.incoming import Incoming
from app.sending.limiter import of_account as limiter_of
from app.store import accounts, opt_outs, trials
from app.store.clock import lease_s
from app.store.faults import write

LOOK_EVERY_S = 0.1
Result = TypeVar("Result")

OnAnswer = Callable[[Answer, float], None]
"""Is told the gateway's answer, and how many seconds it took."""


class Trial:
    """One message. `mobile`: the number to dial. `text` goes out as it is, in so many parts: see Network.message; of a
    template that a provider approved it is what Network.wording gave."""

    def __init__(
        self, database: Engine, network: Network, mobile: int, text: str, parts: int, template_name: str = ""
    ) -> None:
        self._database = database
        self._network = network
        # By chance, for phones tell parts of one message from those of another by it.
        self._submission = Submission(1 + secrets.randbelow(0xFFFF), mobile, text, parts)
        self._template_name = template_name
        self._reference = f"trial-{secrets.token_hex(8)}"
        self._owner = accounts.new_holder()

    def check(self) -> None:
        """Raises NotTried for who wants no messages."""
        with self._database.connect() as connection:
            mobile = self._submission.mobile
            if opt_outs.among(connection, self._network.opt_out_key, [mobile]):
                raise NotTried("not_tried.opted_out", gateway=self._network.name)

    async def run(self, on_answer: OnAnswer, wait_s: float) -> tuple[Delivery, str, float]:
        """Send it, and wait for its receipt no longer than `wait_s`. What it came to, with the gateway's word for why
        not, and how many seconds after the submission; `accepted` where no receipt came. Raises NotTried where all of
        the account's sessions send, and GatewayAway.

        Receipts and replies for others that come meanwhile are recorded as they always are.
        """
        slot = await self._write(self._take_bind)
        jobs = [asyncio.create_task(self._keep_bind(slot))]
        try:
            of = (self._network.name, self._network.opt_out_key, self._network.receipts_for_s)
            incoming = Incoming(self._database, *of)
            jobs.append(asyncio.create_task(incoming.run(looks_at_early=True)))
            line = await self._network.open(incoming.take, self._reference, self._template_name)
            try:
                await self._wait_for_turn()
                answer, began = await self._submit(line, on_answer)
                if self._network.calls and answer.state is Delivery.ACCEPTED:  # it tells nothing by itself
                    this = _This(self._open(answer))
                    jobs.append(asyncio.create_task(self._network.receive(partial(_take, incoming), this)))
                return await self._wait(answer, began, wait_s)
            finally:
                await line.close()
        finally:
            for each in jobs:
                each.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._write(partial(self._give_back, slot))

    async def _submit(self, line: Line, on_answer: OnAnswer) -> tuple[Answer, float]:
        """The answer, and when it was submitted, time.monotonic."""
        began = time.monotonic()
        line.submit([self._submission])
        while not (answers := await line.answers()):
            continue
        answer = answers[0]
        ids = answer.part_ids or (answer.provider_id,)
        if any(ids):
            await self._write(partial(trials.note, gateway=self._network.name, provider_ids=[*filter(None, ids)]))
        on_answer(answer, time.monotonic() - began)
        return answer, began

    def _open(self, answer: Answer) -> Open:
        of_nobody = (0, self._submission.token)
        mobile, now = self._submission.mobile, datetime.now(UTC)
        return Open(*of_nobody, mobile, answer.provider_id, self._reference, 0, now)

    async def _wait(self, answer: Answer, began: float, wait_s: float) -> tuple[Delivery, str, float]:
        ids = answer.part_ids or (answer.provider_id,)
        found = (answer.state, answer.error)
        if answer.state is Delivery.ACCEPTED and wait_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    found = await self._receipt(ids)
        return *found, time.monotonic() - began

    async def _receipt(self, ids: tuple[str, ...]) -> tuple[Delivery, str]:
        while True:
            found = await self._write(partial(trials.fate, gateway=self._network.name, provider_ids=ids))
            if found[0] is not Delivery.ACCEPTED:
                return found
            await asyncio.sleep(LOOK_EVERY_S)

    async def _wait_for_turn(self) -> None:
        """Its parts are as many of the account's rate as those of any other message."""
        if (limiter := limiter_of(self._database, self._network)) is None:
            return
        free = 0
        while not free:
            await limiter.buy(self._submission.parts)
            free, wait_s = limiter.free()
            await asyncio.sleep(wait_s)
        limiter.spend(self._submission.parts)

    def _take_bind(self, connection: Connection) -> int:
        slot = accounts.take_bind(connection, self._network.name, self._network.binds, self._owner)
        if slot is None:
            raise NotTried("not_tried.sessions", gateway=self._network.name, count=self._network.binds)
        return slot

    async def _keep_bind(self, slot: int) -> None:
        keep = partial(accounts.keep_bind, gateway=self._network.name, slot=slot, holder=self._owner)
        while True:
            await asyncio.sleep(lease_s(self._database) / 3)
            await self._write(keep)

    def _give_back(self, slot: int, connection: Connection) -> None:
        accounts.give_bind_back(connection, self._network.name, slot, self._owner)

    async def _write(self, unit: Callable[[Connection], Result]) -> Result:
        return await asyncio.to_thread(write, self._database, unit)


class _This:
    """See gateways/base.Outstanding: one message is open, ours."""

    def __init__(self, message: Open) -> None:
        self._message = message

    async def since(self) -> datetime | None:
        """See Outstanding."""
        return self._message.submitted_at

    async def page(self, after: tuple[int, int] = (0, 0)) -> Sequence[Open]:
        """See Outstanding."""
        return [self._message] if after == (0, 0) else []


async def _take(incoming: Incoming, news: Sequence[Receipt | Reply]) -> None:
    """A receipt that names the attempt finds no such one on record; it goes by its id."""
    await incoming.take([_by_its_id(each) if isinstance(each, Receipt) else each for each in news])


def _by_its_id(receipt: Receipt) -> Receipt:
    is_of_nobody = receipt.attempt is not None and receipt.attempt[0] == 0
    return replace(receipt, attempt=None) if is_of_nobody else receipt
