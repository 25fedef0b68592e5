"""Twilio as a network: a call a message, and what became of them from its list."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.domain.sms_parts import parts_of
from app.gateways.base import NO_ANSWER, Answer, Outstanding, Submission, Take, Wording, plain
from app.gateways.calls import CallLine
from app.gateways.cloud_network import CloudNetwork
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.told import Told
from app.gateways.twilio import codes
from app.gateways.twilio.account import TwilioAccount
from app.gateways.twilio.client import TwilioClient
from app.gateways.verdict import answer, unsent

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=2)
"""A message may change its state some time after it was sent, and clocks differ."""
WHOLE_LOOK_S = 60.0
"""At most so often the whole list is looked at, from the oldest open message on; else its newest part."""


class TwilioNetwork(CloudNetwork):
    """See Network."""

    def __init__(self, name: str, account: TwilioAccount) -> None:
        super().__init__(name, account)
        self._account = account
        self.opt_out_key = account.opt_out_key
        self.templates: Mapping[str, str] = {}

    def wording(self, template_name: str) -> Wording:
        """See Network."""
        return plain(self.message)

    def message(self, text: str, template_name: str = "") -> tuple[str, int]:
        """See Network."""
        signature = self._account.signature
        text = text if text.startswith(signature) else signature + text
        return text, parts_of(text)

    async def open(self, take: Take, reference: str, template_name: str = "") -> CallLine:
        """See Network."""
        await self.reach()
        account = self._account
        client = TwilioClient(account, connections=account.window)

        async def call(submissions: Sequence[Submission]) -> list[Answer]:
            return [await _send(client, each, reference) for each in submissions]

        return CallLine(call, client.close, batch=1, window=account.window, timeout_s=account.answer_timeout_s)

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """See Network. What is final is told once, as long as we remember."""
        client = TwilioClient(self._account, connections=2)
        told = Told()
        whole_at = time.monotonic()
        newest = datetime.now(UTC)
        try:
            while True:
                await asyncio.sleep(self._account.receipts_every_s)
                since = await outstanding.since() if self._account.receipts else None
                if since is None:
                    newest = datetime.now(UTC)
                    continue
                began = time.monotonic()
                is_whole = began >= whole_at
                asked = datetime.now(UTC)
                try:
                    await self._look(client, since if is_whole else max(since, newest - OVERLAP), take, told)
                except (Refusal, NotSent, Unanswered) as error:
                    log.warning("receipts cannot be asked for", extra={"gateway": self.name, "error": str(error)})
                    continue
                newest = asked
                if is_whole:
                    whole_at = time.monotonic() + max(WHOLE_LOOK_S, 10 * (time.monotonic() - began))
        finally:
            await client.close()

    async def _look(self, client: TwilioClient, since: datetime, take: Take, told: Told) -> None:
        after = ""
        while True:
            found, after = await client.page(since - OVERLAP, after)
            now = datetime.now(UTC)
            receipts = [made for each in found if (made := self._receipt(each, now)) and told.is_new(made)]
            if receipts:
                await take(receipts)
                told.note(receipts)
            if not after:
                return

    def _receipt(self, found: Mapping[str, Any], now: datetime) -> Receipt | None:
        """Of a message of ours, which others may use the account for as well; None for what says nothing new."""
        account = self._account
        if account.messaging_service and found["service"] != account.messaging_service:
            return None
        if account.source and found["from"] != account.source:
            return None
        state = codes.STATES.get(found["status"])
        if state is None or not found["direction"].startswith("outbound"):
            return None
        error = "" if state in {Delivery.DELIVERED, Delivery.ACCEPTED} else str(found["error_code"] or found["status"])
        return Receipt(found["sid"], self.national(found["to"]), state, error, now)


async def _send(client: TwilioClient, submission: Submission, reference: str) -> Answer:
    token = submission.token
    try:
        sid, _ = await client.send(submission.mobile, submission.text, f"{reference}-{token}")
    except NotSent as error:
        return unsent(token, str(error))
    except Refusal as refusal:
        kind = codes.verdict(refusal.status, refusal.code)
        return answer(token, kind, codes.name(refusal.status, refusal.code), refusal.said)
    except Unanswered as error:
        log.warning("no answer, a message is in doubt", extra={"error": str(error)})
        return Answer(token, Delivery.UNKNOWN, error=NO_ANSWER)
    return Answer(token, Delivery.ACCEPTED, sid)
