"""Makes chunks for the ledger: the next customers of a shard, with what each of them is to read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from app.dedupe.shared_numbers import Turn, decide
from app.domain.chunk import Chunk
from app.domain.greeting import Template
from app.domain.page import Page, by_form, prepare
from app.domain.people import People
from app.domain.reject import Reason, Reject
from app.gateways.base import Network, Submission
from app.store import customers, opt_outs
from app.store.campaigns import Campaign
from app.store.duplicates import Duplicates
from app.store.messages import Message
from app.store.shard_pages import pages_of
from app.store.shards import Shard

PAGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Serving:
    """A chunk before it is intended: opt-outs are looked at in the transaction that does."""

    after_id: int
    to_id: int
    page: Page
    turn: Turn
    mobiles: list[int]
    """Of those who are greeted, as are the texts and how many parts each has."""
    texts: list[str]
    parts: list[int]

    def chunk(self, opted_out: set[int], max_parts: int) -> tuple[Chunk, list[str]]:
        """Without those who want nothing, and without those whose message would be too long."""
        greeted, rejects = self.page.greeted, list(self.page.rejects)
        ids, genders = list(greeted.ids), list(greeted.genders)
        mobiles, texts, parts = self.mobiles, self.texts, self.parts
        if opted_out or max(parts, default=0) > max_parts or not all(parts):
            kept = []
            for place, (customer_id, mobile, count) in enumerate(zip(ids, mobiles, parts, strict=True)):
                if mobile in opted_out:
                    rejects.append(Reject(customer_id, Reason.OPTED_OUT))
                elif not count:
                    rejects.append(Reject(customer_id, Reason.BAD_VALUE))
                elif count > max_parts:
                    rejects.append(Reject(customer_id, Reason.TOO_LONG))
                else:
                    kept.append(place)
            ids, mobiles = [ids[each] for each in kept], [mobiles[each] for each in kept]
            texts, parts = [texts[each] for each in kept], [parts[each] for each in kept]
            genders = [genders[each] for each in kept]
        tally = replace(by_form(genders), rejected=len(rejects))
        chunk = Chunk(self.after_id, self.to_id, ids, mobiles, parts, rejects, tally)
        return chunk, texts

    def of(self, ids: Sequence[int]) -> tuple[Chunk, list[str]]:
        """Of those who are greeted, these alone, who are on record as intended already."""
        place_of = {customer_id: place for place, customer_id in enumerate(self.page.greeted.ids)}
        kept = [place_of[each] for each in ids]
        mobiles, parts = [self.mobiles[each] for each in kept], [self.parts[each] for each in kept]
        return Chunk(self.after_id, self.to_id, ids, mobiles, parts), [self.texts[each] for each in kept]


class Feed:
    """Reads the customers of a shard from where its record ends."""

    def __init__(
        self,
        database: Engine,
        campaign: Campaign,
        shard: Shard,
        template: Template,
        network: Network,
        *,
        chunk_rows: int,
    ) -> None:
        self._database = database
        self._campaign = campaign
        self._to_id = shard.to_id
        self._template = template
        self._network = network
        self._wording = network.wording(campaign.template_name)
        self._chunk_rows = chunk_rows
        with database.connect() as connection:
            self._duplicates = Duplicates(connection, shard.campaign_id, shard.intended_id, shard.to_id)
            rows = max(PAGE_ROWS, chunk_rows)
            self._pages = pages_of(connection, campaign, shard, shard.to_id, rows, template.columns)
        self._people = People.of([])
        self._reached = self._read_to = shard.intended_id
        """Up to the first one chunks were made; up to the second one people were read."""

    @property
    def is_at_end(self) -> bool:
        """Whether the last chunk was made."""
        return self._reached >= self._to_id

    def next(self) -> Serving:
        """The next chunk. It is made anew until `intended` says that it is."""
        if not len(self._people) and self._read_to < self._to_id:
            with self._database.connect() as connection:
                self._people, self._read_to = self._pages.after(connection, self._reached)
        people = self._people.first(self._chunk_rows)
        to_id = people.ids[-1] if len(people) < len(self._people) else self._read_to
        turn = decide(self._database, self._campaign, self._duplicates, people, self._reached, to_id)
        page = prepare(self._template, people, turn.duplicates)
        texts, parts = self._wording(page)
        mobiles = list(map(int, page.greeted.mobiles))
        return Serving(self._reached, to_id, page, turn, mobiles, texts, parts)

    def intended(self, serving: Serving) -> None:
        """That chunk is on its way."""
        self._reached = serving.to_id
        done = sum(each <= serving.to_id for each in self._people.ids[: self._chunk_rows])
        self._people = self._people.after(done)

    def again(self, rows: Sequence[Message]) -> tuple[list[Submission], dict[int, str]]:
        """What those are to read who are tried again; and why not, by id, of those who are not."""
        ids = sorted(each.customer_id for each in rows)
        with self._database.connect() as connection:
            opted_out = opt_outs.among(connection, self._network.opt_out_key, [each.mobile for each in rows])
            page = prepare(
                self._template, customers.listed(connection, self._campaign.audience, ids, self._template.columns)
            )
        numbers = map(int, page.greeted.mobiles)
        found = dict(zip(page.greeted.ids, zip(numbers, *self._wording(page), strict=True), strict=True))
        submissions: list[Submission] = []
        not_sent: dict[int, str] = {}
        for row in rows:
            mobile, text, parts = found.get(row.customer_id, (None, "", 0))
            if row.mobile in opted_out:
                not_sent[row.customer_id] = Reason.OPTED_OUT.value
            elif mobile != row.mobile:
                not_sent[row.customer_id] = "customer_changed"
            elif not parts:
                not_sent[row.customer_id] = Reason.BAD_VALUE.value
            elif parts > self._network.max_parts:
                not_sent[row.customer_id] = Reason.TOO_LONG.value
            else:
                submissions.append(Submission(row.customer_id, row.mobile, text, parts))
        return submissions, not_sent
