"""A session with a message centre: bound again whenever its link is lost, until it is closed."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, Self

from app.gateways.smpp.account import Account
from app.gateways.smpp.errors import LinkUnusable, SmppError
from app.gateways.smpp.inbound import OnDeliver
from app.gateways.smpp.link import Link
from app.gateways.smpp.oddities import Oddities
from app.gateways.smpp.window import Answer

log = logging.getLogger(__name__)

OnAnswers = Callable[[list[Answer]], None]
"""Is told, in the loop, what became of submissions: each exactly once. It must neither block nor raise."""
STEADY_S = 30.0
"""A link that lived so long was a good one: the next pause is short again."""


async def connect(
    account: Account,
    on_report: Callable[[Link], None],
    on_deliver: OnDeliver | None = None,
    oddities: Oddities | None = None,
) -> Link:
    """A link that is bound. Raises BindRefused or LinkUnusable."""
    loop = asyncio.get_running_loop()
    link: Link | None = None
    try:
        async with asyncio.timeout(account.connect_timeout_s):
            _, link = await loop.create_connection(
                lambda: Link(account, on_report, on_deliver, oddities),
                account.host,
                account.port,
                ssl=account.tls,
                server_hostname=(account.server_name or account.host) if account.tls else None,
            )
            await asyncio.shield(link.bound)
    except BaseException as error:
        if link is not None:
            if link.bound.done() and not link.bound.cancelled():
                link.bound.exception()  # it is told by `error`
            await link.stop()
            link.bound.cancel()
        if isinstance(error, TimeoutError):
            what = "answers no bind" if link else "cannot be reached"
            limit = f"within {account.connect_timeout_s:g} s"
            raise LinkUnusable(f"the message centre at {account.where} {what} {limit}") from error
        if isinstance(error, OSError):
            raise LinkUnusable(f"the message centre at {account.where} cannot be reached: {error}") from error
        raise
    return link


async def probe(account: Account) -> None:
    """Bind and unbind, to see whether it works. Raises BindRefused or LinkUnusable."""
    await (await connect(account, lambda link: None)).close()


class Session:
    """One bind, kept alive from `async with` on. All of it in one event loop.

    `on_answers` hears of every submission once: accepted, refused, partial, unanswered or unsent. `on_late` hears of
    those that were unanswered and are answered after all, while the link lives. `on_deliver` records receipts and
    replies; they are acknowledged when it returns, and sent again by the message centre when it raises. Who waits for
    the first link and tells of its `trouble` has it `quiet` about that.
    """

    def __init__(
        self,
        account: Account,
        *,
        on_answers: OnAnswers,
        on_late: OnAnswers,
        on_deliver: OnDeliver | None = None,
        quiet: bool = False,
    ) -> None:
        self._account = account
        self._on_answers = on_answers
        self._on_late = on_late
        self._on_deliver = on_deliver
        self._link: Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_closing = False
        self._is_quiet = quiet
        self._oddities = Oddities(account.where)
        self.trouble: SmppError | None = None
        """Why the last try to be bound came to nothing; None while we are bound."""

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @property
    def is_bound(self) -> bool:
        """Whether submissions leave now."""
        return self._link is not None and self._link.is_open

    @property
    def outstanding(self) -> int:
        """Parts that are submitted and neither answered nor given up."""
        return len(self._link.window) if self._link else 0

    def submit(self, token: Any, bodies: list[bytes]) -> bool:
        """Submit a message, one body of submit_sm for each of its parts. Returns at once; False where nothing was
        taken: the window is full, or there is no link. See `room`."""
        return self.submit_all([(token, bodies)]) == 1

    def submit_all(self, messages: Iterable[tuple[Any, list[bytes]]]) -> int:
        """Submit messages, token and bodies of each, in order; how many were taken, see `submit`."""
        return self._link.submit(messages) if self._link else 0

    async def room(self, parts: int = 1) -> None:
        """Wait until a message of so many parts would be taken. Raises LinkUnusable once the session is closed."""
        while not (self._link and self._link.is_open and self._link.window.has_room(parts)):
            await self._change()

    async def bound(self) -> None:
        """Wait until there is a link. Raises LinkUnusable once the session is closed."""
        while not self.is_bound:
            await self._change()

    async def _change(self) -> None:
        if self._is_closing:
            raise LinkUnusable(f"the session with {self._account.where} is closed")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    async def close(self) -> None:
        """Take nothing more, wait for what is under way, unbind, close. Each step takes the answer timeout at most."""
        self._is_closing = True
        self._wake()
        link, keeper = self._link, self._keeper
        if link is not None:
            await link.close()
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            self._keeper = None

    # ── the link ────────────────────────────────────────────────────────────────────────────────

    async def _keep(self) -> None:
        """Be bound; when that ends, be bound again."""
        loop = asyncio.get_running_loop()
        tries = 0
        while not self._is_closing:
            since = loop.time()
            try:
                await self._live_through_a_link()
            except SmppError as error:
                self.trouble = error
                if not self._is_quiet:
                    self._oddities.note("not bound, trying again", why=str(error))
            except Exception as error:
                self.trouble = LinkUnusable(f"the message centre at {self._account.where}: {error}")
                log.exception("link broke down, trying again", extra={"where": self._account.where})
            tries += 1
            if loop.time() - since > STEADY_S and self.trouble is None:
                tries, self._oddities = 0, Oddities(self._account.where)
            if not self._is_closing:
                await asyncio.sleep(pause_s(self._account, tries))

    async def _live_through_a_link(self) -> None:
        link = await connect(self._account, self._report, self._on_deliver, self._oddities)
        try:
            self._link, self._is_quiet = link, False
            if self.trouble is not None:  # what is over is said, however often it was
                self.trouble = None
                del self._oddities.counts["bound"]
            self._oddities.note("bound", level=logging.INFO, **{"as": self._account.bind.value})
            self._wake()
            await asyncio.wait([link.lost])
            self._oddities.note("link ended", level=logging.INFO)
            await link.drained()  # so that batches stay in order
        finally:
            if not link.lost.done():
                await link.stop()
            self._link = None
            self._wake()

    def _report(self, link: Link) -> None:
        """Tell what the window has to tell. It is called for each piece that arrives."""
        window = link.window
        if window.answers:
            answers, window.answers = window.answers, []
            self._tell(self._on_answers, answers)
        if window.late:
            late, window.late = window.late, []
            self._tell(self._on_late, late)
        if self._waiters:
            self._wake()

    @staticmethod
    def _tell(callback: OnAnswers, answers: list[Answer]) -> None:
        try:
            callback(answers)
        except Exception:
            log.exception("answers of the message centre could not be taken", extra={"messages": len(answers)})

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def pause_s(account: Account, tries: int) -> float:
    """Before the next try: twice as long each time, somewhat less by chance, so that not all come at once."""
    longest = min(account.longest_pause_s, account.first_pause_s * 2.0 ** min(max(tries - 1, 0), 20))
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 (no secret)
