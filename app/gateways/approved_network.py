"""What networks that send approved templates alone have in common: see gateways/base.Network."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.domain.sms_parts import flat_parts
from app.errors import ConfigError
from app.gateways import approved
from app.gateways.approved_account import ApprovedAccount
from app.gateways.base import NO_ANSWER, Answer, Open, Outstanding, Submission, Take, Wording
from app.gateways.calls import CallLine
from app.gateways.cloud_network import CloudNetwork
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.verdict import Verdict, answer, unsent
from app.sentence import Sentence

log = logging.getLogger(__name__)


class ApprovedNetwork(CloudNetwork):
    """Fields of Network, from an account with templates."""

    def __init__(self, name: str, account: ApprovedAccount) -> None:
        super().__init__(name, account)
        self._account = account
        self.opt_out_key = account.opt_out_key
        self.templates: Mapping[str, str] = {name: each.text for name, each in account.templates.items()}

    def message(self, text: str, template_name: str = "") -> tuple[str, int]:
        """See Network. What a phone shows: the provider puts the signature before it."""
        template = self._account.templates.get(template_name)
        whole = f"【{(template and template.signature) or self._account.signature}】{text}"
        return whole, flat_parts(len(whole))

    def wording(self, template_name: str) -> Wording:
        """See Network."""
        template = self._account.templates.get(template_name)
        if template is None:
            raise ConfigError([Sentence("template_changed", gateway=self.name, template=template_name)])
        return approved.wording(template, template.signature or self._account.signature, self._account.longest_value)


def send_in_halves(
    send: Callable[[Sequence[Submission]], list[Answer]],
    verdict: Callable[[str, int], Verdict],
    submissions: Sequence[Submission],
) -> list[Answer]:
    """The answers to one call. Where all of it is refused for good, as for the sake of one number, it took none of
    them: it is made again in halves."""
    try:
        return send(submissions)
    except NotSent as error:
        return [unsent(each.token, str(error)) for each in submissions]
    except Unanswered as error:
        log.warning("no answer, the messages of a call are in doubt", extra={"error": str(error)})
        return [Answer(each.token, Delivery.UNKNOWN, error=NO_ANSWER) for each in submissions]
    except Refusal as refusal:
        kind = verdict(refusal.code, refusal.status)
        if kind is Verdict.PERMANENT and (half := len(submissions) // 2):
            halves = (submissions[:half], submissions[half:])
            return [found for each in halves for found in send_in_halves(send, verdict, each)]
        code = refusal.code or f"http_{refusal.status}"
        return [answer(each.token, kind, code, refusal.said) for each in submissions]


def threaded(
    send: Callable[[Sequence[Submission]], Sequence[Answer]], account: ApprovedAccount, batch: int, *, texts: int = 0
) -> CallLine:
    """A line whose calls are made in threads, as many as may be under way. `texts`: see CallLine."""
    threads = ThreadPoolExecutor(account.window, thread_name_prefix="calls")

    async def call(submissions: Sequence[Submission]) -> Sequence[Answer]:
        return await asyncio.get_running_loop().run_in_executor(threads, send, submissions)

    async def close() -> None:
        threads.shutdown(wait=False, cancel_futures=True)  # one that waits for an answer ends at its time limit

    timeout_s = account.answer_timeout_s
    return CallLine(call, close, batch=batch, window=account.window, timeout_s=timeout_s, texts=texts)


async def ask_each(
    outstanding: Outstanding, ask: Callable[[Open], Receipt | None], take: Take, threads: ThreadPoolExecutor
) -> None:
    """Put on record what became of everybody who is open, by asking for one after the other; None is no news."""
    after = (0, 0)
    while page := await outstanding.page(after):
        after = (page[-1].campaign_id, page[-1].customer_id)
        loop = asyncio.get_running_loop()
        asked = [loop.run_in_executor(threads, ask, each) for each in page]
        if receipts := [each for each in await asyncio.gather(*asked) if each is not None]:
            await take(receipts)
