"""Tencent as a network: calls of numbers that read the same, and what became of them from its queue."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt, Reply
from app.gateways.approved import OURS, SEPARATOR
from app.gateways.approved_network import ApprovedNetwork, ask_each, send_in_halves, threaded
from app.gateways.base import Answer, Open, Outstanding, Submission, Take
from app.gateways.calls import CallLine
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.tencent import codes
from app.gateways.tencent.account import TencentAccount
from app.gateways.tencent.client import MOST_NUMBERS, MOST_PULLED, TencentClient
from app.gateways.verdict import answer

log = logging.getLogger(__name__)

ONE_BY_ONE_S = 600.0
"""So often those that are open are asked for by number as well: what was pulled and not recorded is not told again."""
AGAIN_AFTER_S = 60.0
"""After a pull that was refused, as where Tencent has not enabled it."""


class TencentNetwork(ApprovedNetwork):
    """See Network."""

    calls = MOST_NUMBERS

    def __init__(self, name: str, account: TencentAccount) -> None:
        super().__init__(name, account)
        self._tencent = account

    async def open(self, take: Take, reference: str, template_name: str = "") -> CallLine:
        """See Network."""
        await self.reach()
        account = self._tencent
        template = account.templates[template_name]
        signature = template.signature or account.signature
        client = TencentClient(account)

        def send_once(submissions: Sequence[Submission]) -> list[Answer]:
            text = submissions[0].text
            mobiles = [each.mobile for each in submissions]
            found = client.send(template.code, signature, text.split(SEPARATOR) if text else [], reference, mobiles)
            of = {self.national(each.PhoneNumber): each for each in found}
            return [_answer(each.token, of[each.mobile]) for each in submissions if each.mobile in of]

        def send(submissions: Sequence[Submission]) -> list[Answer]:
            return send_in_halves(send_once, codes.verdict, submissions)

        # All but a form of address is as a rule everybody's own, and a call has one text.
        names = set(template.values.values())
        texts = 1 if not names else 3 if names == {"honorific"} else 0
        return threaded(send, account, MOST_NUMBERS if texts else 1, texts=texts)

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """See Network."""
        account = self._tencent
        client = TencentClient(account)
        one_by_one_at = time.monotonic() + min(ONE_BY_ONE_S, account.receipts_every_s * 5)
        with ThreadPoolExecutor(account.window, thread_name_prefix="pulls") as threads:
            while True:
                await asyncio.sleep(account.receipts_every_s)
                try:
                    await self._drain(client.pull_replies, _reply, take, threads)
                    if account.receipts:
                        await self._drain(client.pull_states, self._receipt, take, threads)
                except (NotSent, Refusal, Unanswered) as error:
                    log.warning("receipts cannot be pulled", extra={"gateway": self.name, "error": str(error)})
                    await asyncio.sleep(AGAIN_AFTER_S if isinstance(error, Refusal) else 0)
                    continue
                if account.receipts and time.monotonic() >= one_by_one_at:
                    await ask_each(outstanding, partial(self._ask, client), take, threads)
                    one_by_one_at = time.monotonic() + ONE_BY_ONE_S

    async def _drain(
        self,
        pull: Callable[[], list[Any]],
        read: Callable[[Any], Receipt | Reply | None],
        take: Take,
        threads: ThreadPoolExecutor,
    ) -> None:
        while True:
            rows = await asyncio.get_running_loop().run_in_executor(threads, pull)
            news = [made for each in rows if (made := read(each)) is not None]
            if news:
                await take(news)
            if len(rows) < MOST_PULLED:
                return

    def _ask(self, client: TencentClient, message: Open) -> Receipt | None:
        try:
            rows = client.states_of(message.mobile, message.submitted_at)
        except (NotSent, Refusal, Unanswered) as error:
            log.warning("a receipt cannot be asked for", extra={"gateway": self.name, "error": str(error)})
            return None
        for row in rows:
            is_it = (
                row.SerialNo == message.provider_id if message.provider_id else row.SessionContext == message.reference
            )
            if is_it and (receipt := self._receipt(row)):
                attempt = (message.campaign_id, message.customer_id, message.epoch)
                return Receipt(
                    receipt.provider_id, message.mobile, receipt.state, receipt.error, receipt.received_at, attempt
                )
        return None

    def _receipt(self, row: Any) -> Receipt | None:
        state = codes.STATES.get(row.ReportStatus)
        reference = str(row.SessionContext or "")
        if state is None or not OURS.fullmatch(reference):
            return None
        error = "" if state is Delivery.DELIVERED else str(row.Description or "FAIL")
        mobile = self.national(str(row.PhoneNumber))
        return Receipt(str(row.SerialNo), mobile, state, error, datetime.now(UTC), reference=reference)


def _answer(token: int, found: Any) -> Answer:
    if found.Code == codes.OK:
        return Answer(token, Delivery.ACCEPTED, str(found.SerialNo))
    return answer(token, codes.verdict(found.Code), str(found.Code), str(found.Message or ""))


def _reply(row: Any) -> Reply | None:
    number = str(row.SubscriberNumber or "")
    if not number.isdecimal():
        return None
    return Reply(int(number), str(row.ReplyContent or ""), datetime.fromtimestamp(row.ReplyTime, UTC))
