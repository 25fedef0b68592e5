"""Inboxes for what providers send to us by themselves, each with the way to tell that it is theirs."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from app.catalogue import english
from app.config import Config
from app.domain.receipt import Receipt, Reply
from app.errors import AppError, ConfigError, TooBusy
from app.gateways.networks import accounts_of
from app.gateways.pushed import Pushed, pushed_of
from app.receiving.incoming import Incoming
from app.threads import Threads

log = logging.getLogger(__name__)

RECORDED_WITHIN_S = 8.0
"""A provider waits some 15 s; what is not on record by then it may send again, and is asked for as well."""
MOST_WAITING = 500
"""Requests that wait for the database, and those of one gateway that were told to come again while what they brought
waits on."""
KNOWN_FOR_S = 10.0
"""The file of gateways is read so often at most."""


@dataclass(slots=True)
class Inbox:
    """Of one gateway."""

    incoming: Incoming
    recording: asyncio.Task[None]


@dataclass(slots=True)
class Pushes:
    """For one event loop."""

    settings: Config
    database: Engine
    threads: Threads
    _known: dict[str, tuple[Pushed, str, float]] = field(default_factory=dict)
    """By gateway: with the key of its opt-outs, and for how long receipts are kept."""
    _known_at: float | None = None
    _inboxes: dict[str, Inbox] = field(default_factory=dict)
    _waiting: int = 0
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def known(self, gateway: str) -> Pushed | None:
        """How to read what its provider sends; None where there is nothing to be read."""
        async with self._loading:
            if self._known_at is None or time.monotonic() >= self._known_at + KNOWN_FOR_S:
                self._known = await self.threads.run(self._load)
                self._known_at = time.monotonic()
        found = self._known.get(gateway)
        return found[0] if found else None

    def _load(self) -> dict[str, tuple[Pushed, str, float]]:
        try:
            accounts = accounts_of(self.settings)
        except ConfigError as error:
            log.warning("gateways cannot be read, no receipts are taken", extra={"error": english().word_error(error)})
            return {}
        found = {}
        for name, each in accounts.items():
            try:
                pushed = pushed_of(each)
            except AppError as error:
                facts = {"gateway": name, "error": english().word_error(error)}
                log.warning("receipts of a gateway are not taken", extra=facts)
                continue
            if pushed:
                found[name] = (pushed, getattr(each, "opt_out_key", "-"), float(each.receipts_for_s))
        return found

    async def take(self, gateway: str, news: Sequence[Receipt | Reply]) -> None:
        """Returns once they are on record. Raises TooBusy where that takes too long."""
        incoming = self._inbox(gateway)
        if max(self._waiting, incoming.waiting) >= MOST_WAITING:
            raise TooBusy("too_busy.receipts")
        self._waiting += 1
        try:
            async with asyncio.timeout(RECORDED_WITHIN_S):
                await incoming.take(news)
        except TimeoutError:
            raise TooBusy("too_busy.receipts") from None
        finally:
            self._waiting -= 1

    def _inbox(self, gateway: str) -> Incoming:
        inbox = self._inboxes.get(gateway)
        if inbox is None or inbox.recording.done():
            _, opt_out_key, kept_for_s = self._known[gateway]
            incoming = Incoming(self.database, gateway, opt_out_key, kept_for_s)
            # The server's own receiver looks at those that came too early.
            inbox = Inbox(incoming, asyncio.create_task(incoming.run(looks_at_early=False)))
            inbox.recording.add_done_callback(_tell)
            self._inboxes[gateway] = inbox
        return inbox.incoming

    def leave(self) -> None:
        """Nobody sends any more."""
        for each in self._inboxes.values():
            each.recording.cancel()


def _tell(recording: "asyncio.Task[None]") -> None:
    if not recording.cancelled() and (error := recording.exception()):
        log.error("receipts cannot be recorded", extra={"error": type(error).__name__})
