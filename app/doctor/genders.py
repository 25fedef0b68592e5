"""Examines the customers' genders: by them everybody is addressed, and a mistake in them is met by everybody."""

from sqlalchemy import Connection

from app.campaigns.sample import sample
from app.doctor.finding import Finding, ok, warning
from app.domain.genders import Genders, count_genders
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.store import customers
from app.store.genders import can_be_guarded, in_words, is_guarded, odd_values
from app.wording import counted


def examine(connection: Connection) -> Finding:
    """One finding, from a sample. All customers are read only where the table does not keep out what is no gender."""
    seen = count_genders(each[3] for each in sample(connection, customers.max_id(connection), ()))
    is_open = can_be_guarded(connection) and not is_guarded(connection)
    if odd := (odd_values(connection) if is_open or seen.odd else {}) or seen.odd:
        found = f"{counted(sum(odd.values()), 'customer has', 'customers have')} a gender that is none: {in_words(odd)}"
        then = ", then run: python -m migrations" if is_open else ""
        return warning(
            "genders", f"{found}; greeted {MAN}", f"write 0 for a woman, 1 for a man, NULL where unknown{then}"
        )
    if is_open:
        return warning("genders", "the table takes what is no gender", "run: python -m migrations")
    if seen.are_suspect:
        found = f"all of {counted(seen.female, 'customer')} looked at are women"
        return warning("genders", found, "LOAD DATA makes 0 of 男 and 女 alike; README.md says how to load them")
    return ok("genders", _shown(seen))


def _shown(seen: Genders) -> str:
    counts = {MAN: seen.male, WOMAN: seen.female, UNKNOWN: seen.unknown}
    shown = ", ".join(f"{count:,} {title}" for title, count in counts.items() if count)
    return f"{shown} of those looked at" if shown else "there are no customers yet"
