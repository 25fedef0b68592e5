"""Finds out how far a suspect log is right, and lets its shard go on from there."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine

from app.audit.found_lines import FoundLines
from app.domain.greeting import compile_template
from app.domain.page import prepare
from app.domain.reject import Reject
from app.domain.tally import Tally
from app.gateways.base import Account, Gateway
from app.store import heirs, log_parts, rejects, shards
from app.store.campaigns import Campaign
from app.store.faults import write
from app.store.log_parts import FORMS, Part
from app.store.shard_pages import ShardPages, pages_of
from app.store.shards import Hold, Shard, Standing

log = logging.getLogger(__name__)


def repair(
    database: Engine,
    gateway: Gateway,
    campaign: Campaign,
    shard: Shard,
    parts: Sequence[Part],
    hold: Hold,
    *,
    page_rows: int,
    should_stop: Callable[[], bool],
) -> bool:
    """Compare the log with the database from its beginning, customer by customer, for those of its `parts`, which are
    all that lie here; False when told to stop before. Until the end nothing is changed, and the end is one step.

    A message to the same number counts as sent, whatever else was in it and wherever it stands. Who has none gets it
    now, in their place; lines that greet nobody go. A page of customers is in memory at a time, and 16 bytes for each
    line once there is a difference. Raises LeaseLost, LogUnusable, LogDamaged and what the database raises.
    """
    repairing = Comparison(database, gateway, campaign, shard, parts, page_rows)
    while repairing.goes_on:
        if should_stop():
            return False
        write(database, lambda connection: shards.renew(connection, hold))
        repairing.next_page()
    standing = repairing.standing
    before, right = _sum(parts), _sum(repairing.parts)
    tally = replace(shard.tally, **{each: getattr(shard.tally, each) - getattr(before, each) for each in FORMS}) + right
    if repairing.is_anew:
        gateway.end_anew()
    else:
        gateway.return_to(standing.log_bytes)

    def record(connection: Connection) -> None:
        rejects.remove(connection, campaign.id, shard.number, shard.last_id, shard.to_id)
        rejects.insert(connection, campaign.id, shard.number, repairing.new_rejects)
        rejected = rejects.count(connection, campaign.id, shard.number, shard.after_id, shard.to_id).total()
        stands = Standing(shard.last_id, standing.log_bytes, replace(tally, rejected=rejected))
        shards.settle(connection, hold, stands)
        log_parts.settle(connection, campaign.id, repairing.parts)

    write(database, record)
    log.warning(
        "suspect log compared, its shard goes on",
        extra={
            "campaign_id": campaign.id,
            "shard": shard.number,
            "recorded_bytes": shard.log_bytes,
            "log_bytes": standing.log_bytes,
            **repairing.counts,
        },
    )
    return True


def _sum(parts: Iterable[Part]) -> Tally:
    return sum((each.tally for each in parts), Tally())


class Comparison:
    """Page after page of the customers who were done and whose messages lie here. As long as the log is what it should
    be it is only read; from the first difference on it is written anew beside the old one."""

    def __init__(
        self,
        database: Engine,
        gateway: Account,
        campaign: Campaign,
        shard: Shard,
        parts: Sequence[Part],
        page_rows: int,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._campaign = campaign
        self._page_rows = page_rows
        self._template = compile_template(campaign.template, None)
        self._shard = shard
        self._pages: ShardPages
        self._left = deque(parts)
        self._found: FoundLines | None = None
        self._standing = Standing(0, 0, Tally())
        self.parts: list[Part] = []
        """Those that are compared, as they are right."""
        self.new_rejects: list[Reject] = []
        """Of those who were done: greeted or gone by what the log says, and not to be greeted as they are now."""
        self.counts = {"as_they_were": 0, "sent_again": 0}
        self._begin_part()

    def _begin_part(self) -> None:
        """The next one that has somebody in it."""
        at = self._standing.log_bytes
        while self._left and self._left[0].is_empty:
            self.parts.append(replace(self._left.popleft(), from_byte=at, to_byte=at, tally=Tally()))
        if not self._left:
            return
        part = self._left[0] = replace(self._left[0], from_byte=at, to_byte=at, tally=Tally())
        self._standing = replace(self._standing, last_id=part.after_id)
        with self._database.connect() as connection:
            self._pages = pages_of(
                connection, self._campaign, self._shard, part.last_id, self._page_rows, self._template.columns
            )

    @property
    def goes_on(self) -> bool:
        return bool(self._left)

    @property
    def standing(self) -> Standing:
        """How far the log is compared, and right then."""
        return self._standing

    @property
    def is_anew(self) -> bool:
        """Whether there was a difference, so that the second account is the right one."""
        return self._found is not None

    @property
    def left_over(self) -> int:
        """Once all is compared: how many lines stand for nobody who is to have been sent."""
        if self._found is None:
            return sum(1 for _ in self._gateway.lines(self._standing.log_bytes))
        return self._found.left

    def next_page(self) -> None:
        shard, standing = self._shard, self._standing
        with self._database.connect() as connection:
            people, reached = self._pages.after(connection, standing.last_id)
            # Who was rejected then has no line, whatever is known of them now.
            found = rejects.between(connection, shard.campaign_id, shard.number, standing.last_id, reached)
            # Nor has who was away then, and somebody else got the message for their number.
            inherited = heirs.inherited(connection, shard.campaign_id, standing.last_id, reached)
        rejected = {each.customer_id for each in found}
        page = prepare(self._template, people, rejected.union(inherited))
        expected = page.text.encode()
        if self._found is None and self._gateway.delivered(standing.log_bytes, len(expected)) != expected:
            self._found = FoundLines(self._template, self._gateway.lines(standing.log_bytes))
            self._gateway.begin_anew(standing.log_bytes)
        size = len(expected) if self._found is None else self._write_anew(self._found, expected)
        self.new_rejects += [each for each in page.rejects if each.customer_id not in rejected]
        self._standing = replace(
            standing,
            last_id=reached,
            log_bytes=standing.log_bytes + size,
            tally=standing.tally + page.tally,
        )
        part = self._left[0]
        part = self._left[0] = replace(part, to_byte=part.to_byte + size, tally=part.tally + page.tally)
        if reached >= part.last_id:
            self.parts.append(self._left.popleft())
            self._begin_part()

    def _write_anew(self, found: FoundLines, expected: bytes) -> int:
        """What was sent as it was sent, the rest as it is to be; how many bytes."""
        lines = []
        for line in expected.splitlines(keepends=True):
            at = found.take(line)
            if at is None:
                self.counts["sent_again"] += 1
                lines.append(line)
                continue
            there = self._gateway.delivered(at, len(line))
            if there != line:
                self.counts["as_they_were"] += 1
                there = next(self._gateway.lines(at))[1]
            lines.append(there)
        text = b"".join(lines)
        self._gateway.deliver_anew(text)
        return len(text)
