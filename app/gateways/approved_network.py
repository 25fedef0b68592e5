"""What networks that send approved templates alone have in common: see gateways/base.Network."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from app.domain.sms_parts import flat_parts
from app.errors import ConfigError
from app.gateways import approved
from app.gateways.approved_account import ApprovedAccount
from app.gateways.base import Answer, Submission, Wording
from app.gateways.calls import CallLine
from app.gateways.cloud_network import CloudNetwork
from app.sentence import Sentence


class ApprovedNetwork(CloudNetwork):
    """Fields of Network, from an account with templates."""

    def __init__(self, name: str, account: ApprovedAccount) -> None:
        super().__init__(name, account)
        self._account = account
        self.opt_out_key = account.opt_out_key
        self.templates: Mapping[str, str] = {name: each.text for name, each in account.templates.items()}

    def message(self, text: str) -> tuple[str, int]:
        """See Network. What a phone shows: the provider puts the signature before it."""
        whole = f"【{self._account.signature}】{text}"
        return whole, flat_parts(len(whole))

    def wording(self, template_name: str) -> Wording:
        """See Network."""
        template = self._account.templates.get(template_name)
        if template is None:
            raise ConfigError([Sentence("template_changed", gateway=self.name, template=template_name)])
        return approved.wording(template, template.signature or self._account.signature, self._account.longest_value)


def threaded(
    send: Callable[[Sequence[Submission]], Sequence[Answer]],
    account: ApprovedAccount,
    batch: int,
    close: Callable[[], None],
) -> CallLine:
    """A line whose calls are made in threads, as many as may be under way."""
    threads = ThreadPoolExecutor(account.window, thread_name_prefix="calls")

    async def call(submissions: Sequence[Submission]) -> Sequence[Answer]:
        return await asyncio.get_running_loop().run_in_executor(threads, send, submissions)

    async def end() -> None:
        threads.shutdown(wait=False, cancel_futures=True)  # one that waits for an answer ends at its time limit
        close()

    made: Callable[[Sequence[Submission]], Awaitable[Sequence[Answer]]] = call
    return CallLine(made, end, batch=batch, window=account.window, timeout_s=account.answer_timeout_s)
