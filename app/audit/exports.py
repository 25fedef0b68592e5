"""What is known of a campaign, customer by customer, on its way out: as CSV for spreadsheets, or as JSON, a line each.

Pages are read one after the other by their keys, each in a short transaction of its own, and none is kept: of two
million rows no more is in memory than of one page.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from app.audit import ledger_rows
from app.audit.ledger_rows import Row
from app.audit.verdicts import Verdict
from app.campaigns.snapshot import Snapshot
from app.domain import csv_text
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all
from app.domain.reject import Reason
from app.store import rejects

HIGHEST_ID = 2**32 - 1
Page = list[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Export:
    """A table: its columns, and its rows page by page."""

    header: tuple[str, ...]
    pages: Iterator[Page]

    def as_csv(self) -> Iterator[bytes]:
        """In pieces; see app/domain/csv_text.py."""
        yield (csv_text.BOM + csv_text.lines([self.header])).encode()
        for page in self.pages:
            yield csv_text.lines(page).encode("utf-8", "replace")

    def as_ndjson(self) -> Iterator[bytes]:
        """In pieces of whole lines."""
        for page in self.pages:
            facts = (dict(zip(self.header, row, strict=True)) for row in page)
            yield "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in facts).encode("utf-8", "replace")


MESSAGES = (
    "customer_id", "mobile", "parts", "state", "gateway", "provider_id", "error", "submitted_at", "final_at"
)  # fmt: skip


def message_row(row: Row, gateway: str, *, masked: bool) -> tuple[object, ...]:
    """In the columns of MESSAGES."""
    return (
        row.customer_id,
        mask_all(str(row.mobile)) if masked else row.mobile,
        row.parts,
        row.state.value,
        gateway,
        row.provider_id,
        row.error,
        moment(row.submitted_at),
        moment(row.final_at),
    )


def messages(
    database: Engine, now: Snapshot, state: Delivery | None = None, after_id: int = 0, *, masked: bool = True
) -> Export:
    """The ledger of a campaign to a network, or those in one state, from behind a customer on."""
    gateway = now.campaign.gateway
    pages = ledger_rows.pages(database, now, state, after_id)
    return Export(MESSAGES, ([message_row(row, gateway, masked=masked) for row in page] for page in pages))


def rejected(database: Engine, now: Snapshot, reason: Reason | None = None, after_id: int = 0) -> Export:
    """Who was not greeted, and why; no number is in it."""
    return Export(("customer_id", "reason"), _rejects(database, now, reason, after_id))


def _rejects(database: Engine, now: Snapshot, reason: Reason | None, after_id: int) -> Iterator[Page]:
    of = (now.campaign.id, None)
    while True:
        with database.connect() as connection:
            found = rejects.between(connection, *of, after_id, HIGHEST_ID, rejects.PAGE_ROWS, reason)
        if not found:
            return
        yield [(each.customer_id, each.reason.value) for each in found]
        after_id = found[-1].customer_id


REPORT = ("task", "sent", "rejected", "late", "agrees", "whole", "differences")


def report(found: Verdict, said: Sequence[str]) -> Export:
    """A row for each task; `said` are the differences of each, in words."""
    rows: Page = [
        (each.task, each.sent, each.rejected, each.late, each.agrees, each.is_whole, words)
        for each, words in zip(found.tasks, said, strict=True)
    ]
    return Export(REPORT, iter([rows]))


def moment(at: datetime | None) -> str:
    """As it stands in exports; '' for none."""
    return at.isoformat(timespec="milliseconds") if at else ""
