"""Sends a message to a few numbers to see what they get, and waits for what becomes of it. It is in no campaign."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.domain.actor import Actor, Deed
from app.domain.delivery import Delivery
from app.domain.mobile import mask
from app.domain.receipt import Receipt, Reply
from app.errors import NotTried
from app.gateways.base import Answer, Line, Network, Open, Submission
from app.receiving.incoming import Incoming
from app.sending.limiter import of_account as limiter_of
from app.store import accounts, drains, opt_outs, trail, trials
from app.store.clock import lease_s
from app.store.faults import write

LOOK_EVERY_S = 0.1
AWAY_FOR_S = 5.0
"""How long a database that is away is waited for, before a message goes out."""
Result = TypeVar("Result")

MOST_NUMBERS = 10

OnAnswer = Callable[[int, Answer, float], None]
"""Is told the gateway's answer to the message to a number, and how many seconds it took."""


class Fate(NamedTuple):
    """What a message came to: with the gateway's word for why not, so many seconds after the submission; `accepted`
    where no receipt came."""

    state: Delivery
    error: str
    took_s: float

    @property
    def is_well(self) -> bool:
        """Whether it was taken, and not reported as lost."""
        return self.state in {Delivery.ACCEPTED, Delivery.DELIVERED}


class _Sent(NamedTuple):
    answer: Answer
    began: float
    """When it was submitted, time.monotonic."""

    @property
    def ids(self) -> tuple[str, ...]:
        return self.answer.part_ids or (self.answer.provider_id,)


class Trial:
    """One message, to MOST_NUMBERS at most. `mobiles`: the numbers to dial. `text` goes out as it is, in so many parts:
    see Network.message; of a template that a provider approved it is what Network.wording gave."""

    def __init__(
        self,
        database: Engine,
        network: Network,
        mobiles: Sequence[int],
        text: str,
        parts: int,
        template_name: str = "",
        by: Actor | None = None,
    ) -> None:
        self._database = database
        self._network = network
        # By chance, for phones tell parts of one message from those of another by it.
        first = 1 + secrets.randbelow(0xFFFF - MOST_NUMBERS)
        self._submissions = [Submission(first + at, mobile, text, parts) for at, mobile in enumerate(mobiles)]
        self._template_name = template_name
        self._reference = f"trial-{secrets.token_hex(8)}"
        self._owner = accounts.new_holder()
        self._by = by

    def check(self) -> None:
        """Raises NotTried for who wants no messages, and where the gateway is drained."""
        with self._database.connect() as connection:
            if drain := drains.every(connection).get(self._network.name):
                raise NotTried("not_tried.drained", why=drains.said(self._network.name, drain))
            mobiles = [each.mobile for each in self._submissions]
            if found := opt_outs.among(connection, self._network.opt_out_key, mobiles):
                number = mask(str(min(found)))
                raise NotTried("not_tried.opted_out", gateway=self._network.name, number=number)

    async def run(self, on_answer: OnAnswer, wait_s: float) -> list[Fate]:
        """Send it to one number after the other, and wait for the receipts no longer than `wait_s`. What became of
        each, in the order of the numbers; once the gateway says that it takes nothing from us, nobody after that gets
        one, and neither once somebody else has our session or the gateway is drained. Raises NotTried where all of the
        account's sessions send or it is drained, and GatewayAway.

        Receipts and replies for others that come meanwhile are recorded as they always are.
        """
        self.check()
        slot = await self._write(self._take_bind)
        jobs = [asyncio.create_task(self._keep_bind(slot))]
        try:
            of = (self._network.name, self._network.opt_out_key, self._network.receipts_for_s)
            incoming = Incoming(self._database, *of)
            jobs.append(asyncio.create_task(incoming.run(looks_at_early=True)))
            line = await self._network.open(incoming.take, self._reference, self._template_name)
            try:
                sent: list[_Sent] = []
                for submission in self._submissions:
                    await self._wait_for_turn(submission.parts)
                    if not await self._write(partial(self._note_intent, slot, submission)):
                        break  # the session is somebody else's, or the gateway drained
                    sent.append(await self._submit(line, submission, on_answer))
                    if sent[-1].answer.fault:
                        break
                if not sent:
                    self.check()
                    raise self._no_session()
                accepted = [each for each in sent if each.answer.state is Delivery.ACCEPTED]
                if self._network.calls and accepted:  # it tells nothing by itself
                    these = _These([self._open(each.answer) for each in accepted])
                    jobs.append(asyncio.create_task(self._network.receive(partial(_take, incoming), these)))
                return await self._wait(sent, wait_s if accepted else 0.0)
            finally:
                await line.close()
        finally:
            for each in jobs:
                each.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._write(partial(self._give_back, slot))

    def _note_intent(self, slot: int, submission: Submission, connection: Connection) -> bool:
        """Before its first byte leaves: what is in the trail may have been sent, and nothing else was. False, and none
        is noted, where the session is no longer ours, or the gateway is drained now."""
        if drains.hold(connection, self._network.name) is not None:
            return False
        if not accounts.keep_bind(connection, self._network.name, slot, self._owner):
            return False
        after = {"gateway": self._network.name, "parts": submission.parts}
        trail.note(connection, self._by, Deed.TEST_MESSAGE, subject=str(submission.mobile), after=after)
        return True

    async def _submit(self, line: Line, submission: Submission, on_answer: OnAnswer) -> _Sent:
        began = time.monotonic()
        line.submit([submission])
        found: list[Answer] = []
        while not found:  # a late one to the message before may come as well
            found = [each for each in await line.answers() if each.token == submission.token]
        answer = found[0]
        sent = _Sent(answer, began)
        if any(sent.ids):
            await self._write(partial(trials.note, gateway=self._network.name, provider_ids=[*filter(None, sent.ids)]))
        on_answer(submission.mobile, answer, time.monotonic() - began)
        return sent

    def _open(self, answer: Answer) -> Open:
        mobile = next(each.mobile for each in self._submissions if each.token == answer.token)
        return Open(0, answer.token, mobile, answer.provider_id, self._reference, 0, datetime.now(UTC))

    async def _wait(self, sent: Sequence[_Sent], wait_s: float) -> list[Fate]:
        fates = [Fate(each.answer.state, each.answer.error, time.monotonic() - each.began) for each in sent]
        if wait_s <= 0:
            return fates
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while any(each.state is Delivery.ACCEPTED for each in fates):
                    for at, each in enumerate(sent):
                        if fates[at].state is Delivery.ACCEPTED:
                            of = partial(trials.fate, gateway=self._network.name, provider_ids=each.ids)
                            fates[at] = Fate(*await self._write(of), time.monotonic() - each.began)
                    await asyncio.sleep(LOOK_EVERY_S)
        return fates

    async def _wait_for_turn(self, parts: int) -> None:
        """Its parts are as many of the account's rate as those of any other message. Raises what the database does that
        stays away: nothing is sent later, when nobody waits for it any more."""
        given_up_at = time.monotonic() + AWAY_FOR_S
        limiter = limiter_of(self._database, self._network, lambda: time.monotonic() > given_up_at)
        if limiter is None:
            return
        free = 0
        while not free:
            await limiter.buy(parts)
            free, wait_s = limiter.free()
            await asyncio.sleep(wait_s)
        limiter.spend(parts)

    def _take_bind(self, connection: Connection) -> int:
        drains.make_sure(connection, self._network.name)
        slot = accounts.take_bind(connection, self._network.name, self._network.binds, self._owner)
        if slot is None:
            raise self._no_session()
        return slot

    def _no_session(self) -> NotTried:
        return NotTried("not_tried.sessions", gateway=self._network.name, count=self._network.binds)

    async def _keep_bind(self, slot: int) -> None:
        keep = partial(accounts.keep_bind, gateway=self._network.name, slot=slot, holder=self._owner)
        while True:
            await asyncio.sleep(lease_s(self._database) / 3)
            with suppress(SQLAlchemyError):  # it may pass before the lease is over; each message asks again
                if not await self._write(keep):
                    return

    def _give_back(self, slot: int, connection: Connection) -> None:
        accounts.give_bind_back(connection, self._network.name, slot, self._owner)

    async def _write(self, unit: Callable[[Connection], Result]) -> Result:
        return await asyncio.to_thread(write, self._database, unit)


class _These:
    """See gateways/base.Outstanding: ours are open."""

    def __init__(self, messages: Sequence[Open]) -> None:
        self._messages = messages

    async def since(self) -> datetime | None:
        """See Outstanding."""
        return min(each.submitted_at for each in self._messages)

    async def page(self, after: tuple[int, int] = (0, 0)) -> Sequence[Open]:
        """See Outstanding."""
        return [each for each in self._messages if (each.campaign_id, each.customer_id) > after]


async def _take(incoming: Incoming, news: Sequence[Receipt | Reply]) -> None:
    """A receipt that names the attempt finds no such one on record; it goes by its id."""
    await incoming.take([_by_its_id(each) if isinstance(each, Receipt) else each for each in news])


def _by_its_id(receipt: Receipt) -> Receipt:
    is_of_nobody = receipt.attempt is not None and receipt.attempt[0] == 0
    return replace(receipt, attempt=None) if is_of_nobody else receipt
