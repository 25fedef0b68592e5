"""Aliyun as a network: a hundred messages a call, and what became of each by asking for its number."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.gateways import approved
from app.gateways.aliyun import codes
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.aliyun.client import MOST_NUMBERS, AliyunClient, One
from app.gateways.approved_network import ApprovedNetwork, threaded
from app.gateways.base import Answer, Open, Outstanding, Submission, Take
from app.gateways.calls import NO_ANSWER, CallLine
from app.gateways.cloud_network import tls
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.verdict import Verdict, answer, unsent

log = logging.getLogger(__name__)

CHINA = ZoneInfo("Asia/Shanghai")
"""Days and times are theirs."""
CLOCKS_DIFFER = timedelta(minutes=2)


class AliyunNetwork(ApprovedNetwork):
    """See Network."""

    calls = MOST_NUMBERS

    def __init__(self, name: str, account: AliyunAccount) -> None:
        super().__init__(name, account)
        self._aliyun = account

    def check_account(self) -> None:
        """Raises ConfigError where nothing can even be tried."""
        self._aliyun.secret()
        tls(self._aliyun)

    async def open(self, take: Take, reference: str, template_name: str = "") -> CallLine:
        """See Network."""
        await self.reach()
        account = self._aliyun
        template = account.templates[template_name]
        signature, names = template.signature or account.signature, list(template.values)
        client = AliyunClient(account, connections=account.window)

        def send(submissions: Sequence[Submission]) -> list[Answer]:
            batch = [One(each.mobile, approved.split(each.text, names)) for each in submissions]
            tokens = [each.token for each in submissions]
            half = len(batch) // 2
            try:
                biz_id = client.send(template.code, signature, reference, batch)
            except NotSent as error:
                return [unsent(token, str(error)) for token in tokens]
            except Refusal as refusal:
                kind = codes.verdict(refusal.code, refusal.status)
                if kind is Verdict.PERMANENT and half:  # it took none of them for the sake of one
                    return send(submissions[:half]) + send(submissions[half:])
                return [answer(token, kind, refusal.code or f"http_{refusal.status}", refusal.said) for token in tokens]
            except Unanswered as error:
                log.warning("no answer, the messages of a call are in doubt", extra={"error": str(error)})
                return [Answer(token, Delivery.UNKNOWN, error=NO_ANSWER) for token in tokens]
            return [Answer(each.token, Delivery.ACCEPTED, id_of(biz_id, each.mobile)) for each in submissions]

        return threaded(send, account, MOST_NUMBERS, lambda: None)

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """See Network. Everybody open is asked for, again and again; the newest are let alone for a moment."""
        account = self._aliyun
        client = AliyunClient(account, connections=account.window)
        with ThreadPoolExecutor(account.window, thread_name_prefix="details") as threads:
            while True:
                await asyncio.sleep(account.receipts_every_s)
                if not account.receipts or await outstanding.since() is None:
                    continue
                after = (0, 0)
                while page := await outstanding.page(after):
                    after = (page[-1].campaign_id, page[-1].customer_id)
                    loop = asyncio.get_running_loop()
                    asked = [loop.run_in_executor(threads, self._ask, client, each) for each in page]
                    receipts = [each for each in await asyncio.gather(*asked) if each is not None]
                    if receipts:
                        await take(receipts)

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


def id_of(biz_id: str, mobile: int) -> str:
    """What we call a message: a BizId is of a whole call."""
    return f"{biz_id}/{mobile}"


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
