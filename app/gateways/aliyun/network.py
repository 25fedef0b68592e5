"""Aliyun as a network: a hundred messages a call, and what became of each by asking for its number."""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.gateways import approved
from app.gateways.aliyun import codes
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.aliyun.client import MOST_NUMBERS, AliyunClient, One
from app.gateways.aliyun.pushed import id_of, listen
from app.gateways.approved_network import ApprovedNetwork, ask_each, send_in_halves, threaded
from app.gateways.base import Answer, Open, Outstanding, Submission, Take
from app.gateways.calls import CallLine
from app.gateways.failures import NotSent, Refusal, Unanswered

log = logging.getLogger(__name__)

CHINA = ZoneInfo("Asia/Shanghai")
"""Days and times are theirs."""
SELDOM = 20
"""So many times as long as a look at everybody open takes is the pause after it, where it is a check alone."""
CLOCKS_DIFFER = timedelta(minutes=2)


class AliyunNetwork(ApprovedNetwork):
    """See Network."""

    calls = MOST_NUMBERS

    def __init__(self, name: str, account: AliyunAccount) -> None:
        super().__init__(name, account)
        self._aliyun = account

    async def open(self, take: Take, reference: str, template_name: str = "") -> CallLine:
        """See Network."""
        await self.reach()
        account = self._aliyun
        template = account.templates[template_name]
        signature, names = template.signature or account.signature, list(template.values)
        client = AliyunClient(account, connections=account.window)

        def send_once(submissions: Sequence[Submission]) -> list[Answer]:
            batch = [One(each.mobile, approved.split(each.text, names)) for each in submissions]
            biz_id = client.send(template.code, signature, reference, batch)
            return [Answer(each.token, Delivery.ACCEPTED, id_of(biz_id, each.mobile)) for each in submissions]

        def send(submissions: Sequence[Submission]) -> list[Answer]:
            return send_in_halves(send_once, codes.verdict, submissions)

        return threaded(send, account, MOST_NUMBERS)

    def check_account(self) -> None:
        """See Network."""
        super().check_account()
        if self._aliyun.listen:
            self._aliyun.listen_secret()

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """See Network."""
        jobs = [self._ask_for_ever(take, outstanding)]
        if self._aliyun.listen:
            jobs.append(listen(self._aliyun, self.name, take))
        await asyncio.gather(*jobs)

    async def _ask_for_ever(self, take: Take, outstanding: Outstanding) -> None:
        """Everybody open is asked for, again and again; seldom where Aliyun tells by itself."""
        account = self._aliyun
        pause_s = account.receipts_every_s
        client = AliyunClient(account, connections=account.window)
        with ThreadPoolExecutor(account.window, thread_name_prefix="details") as threads:
            while True:
                await asyncio.sleep(pause_s)
                if not account.receipts or await outstanding.since() is None:
                    continue
                began = time.monotonic()
                await ask_each(outstanding, partial(self._ask, client), take, threads)
                if account.listen:
                    pause_s = max(account.receipts_every_s, SELDOM * (time.monotonic() - began))

    def _ask(self, client: AliyunClient, message: Open) -> Receipt | None:
        """The news of one; None where there is none, or it cannot be had now."""
        biz_id = biz_id_of(message.provider_id)
        sent_at = message.submitted_at.astimezone(CHINA)
        try:
            rows = client.details(message.mobile, sent_at, biz_id)
            if not biz_id and not rows and sent_at.date() != (sent_at + CLOCKS_DIFFER).date():
                rows = client.details(message.mobile, sent_at + CLOCKS_DIFFER)
        except (NotSent, Refusal, Unanswered) as error:
            log.warning("a receipt cannot be asked for", extra={"gateway": self.name, "error": str(error)})
            return None
        for row in rows:
            if row.out_id == message.reference and (biz_id or _is_since(row, message.submitted_at)):
                return _receipt(row, message)
        return None


def biz_id_of(provider_id: str) -> str:
    """The BizId in it; '' where there is none."""
    return provider_id.rpartition("/")[0]


def _is_since(row: Any, submitted_at: datetime) -> bool:
    try:
        sent_at = datetime.strptime(str(row.send_date), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return False
    return sent_at >= submitted_at - CLOCKS_DIFFER


def _receipt(row: Any, message: Open) -> Receipt | None:
    state = codes.STATES.get(row.send_status)
    if state is None or (state is Delivery.ACCEPTED and message.provider_id):
        return None
    error = "" if state is not Delivery.UNDELIVERED else str(row.err_code or "")
    attempt = (message.campaign_id, message.customer_id, message.epoch)
    return Receipt(message.provider_id, message.mobile, state, error, datetime.now(UTC), attempt)
