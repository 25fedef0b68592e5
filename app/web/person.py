"""What became of somebody's messages: looked up when asked for, by a form, so that no number stands in an address."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from app.audit import find_messages
from app.audit.find_messages import Found
from app.domain.audience import CUSTOMERS
from app.domain.mobile import mask, mask_all, normalise
from app.errors import BadNumber, UnknownCustomer
from app.store import opt_outs

MOST_ID_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Person:
    """Who was asked for."""

    wanted: str
    """As it was asked."""
    customer_id: int | None
    mobile: str
    """Their whole number, '' where they have none that can be used. Not for everybody's eyes."""
    found: list[Found]
    opted_out: list[tuple[str, datetime]]
    """Under which signature, and since when."""
    log_bytes: int
    """Of all logs; to look into these, too, takes a while."""
    in_logs: bool
    pruned: list[str] = field(default_factory=list)

    @property
    def number(self) -> str:
        """Masked."""
        return mask(self.mobile)


def look_up(database: Engine, log_dir: Path, wanted: str, *, in_logs: bool) -> Person:
    """`wanted`: a number, or the id of a customer. Raises BadNumber, UnknownCustomer and LogUnusable."""
    wanted = wanted.strip()
    is_id = wanted.isascii() and wanted.isdigit() and len(wanted) <= MOST_ID_DIGITS and 0 < int(wanted) < 2**32
    customer = int(wanted) if is_id else None
    raw = find_messages.mobile_of(database, CUSTOMERS, customer) if customer else wanted
    mobile = normalise(raw) if raw else None
    if customer is None and mobile is None:
        raise BadNumber("bad_number", number=mask_all(wanted[:40]))
    number = int(mobile) if mobile else None
    found = find_messages.in_ledgers(database, mobile=number, customer_id=customer)
    if customer is not None and raw is None and not found:
        raise UnknownCustomer(customer)
    if in_logs and mobile:
        found = [*found, *find_messages.in_logs(database, log_dir, mobile)]
    with database.connect() as connection:
        since = opt_outs.of_number(connection, number) if number else []
    size, pruned = find_messages.logs_size(database), find_messages.pruned(database)
    return Person(wanted, customer, mobile or "", found, since, size, in_logs, pruned)
