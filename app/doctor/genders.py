"""Examines the customers' genders: by them everybody is addressed, and a mistake in them is met by everybody."""

from sqlalchemy import Connection

from app.campaigns.sample import sample
from app.doctor.finding import Finding, ok, warning
from app.domain.audience import CUSTOMERS
from app.domain.genders import Genders, count_genders
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.sentence import Sentence
from app.store import customers
from app.store.genders import can_be_guarded, is_guarded, odd_values, shown


def examine(connection: Connection) -> Finding:
    """One finding, from a sample. All customers are read only where the table does not keep out what is no gender."""
    seen = count_genders(each[3] for each in sample(connection, CUSTOMERS, customers.max_id(connection, CUSTOMERS), ()))
    is_open = can_be_guarded(connection) and not is_guarded(connection)
    if odd := (odd_values(connection) if is_open or seen.odd else {}) or seen.odd:
        found = Sentence("doctor.odd_genders", count=sum(odd.values()), odd=shown(odd), man=MAN)
        return warning("genders", found, Sentence("advice.genders_then_migrate" if is_open else "advice.genders"))
    if is_open:
        return warning("genders", Sentence("doctor.genders_unguarded"), Sentence("advice.migrate"))
    if seen.are_suspect:
        return warning("genders", Sentence("doctor.all_women", count=seen.female), Sentence("advice.load_genders"))
    return ok("genders", _counts(seen))


def _counts(seen: Genders) -> Sentence:
    counts = {MAN: seen.male, WOMAN: seen.female, UNKNOWN: seen.unknown}
    told = ", ".join(f"{count:,} {title}" for title, count in counts.items() if count)
    return Sentence("doctor.genders", counts=told) if told else Sentence("doctor.no_customers")
