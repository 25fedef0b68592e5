"""Shows a whole number to somebody, which stands in the audit trail before they see it."""

from sqlalchemy import Engine

from app.domain.actor import Actor, Deed
from app.store import trail
from app.store.faults import write


def unmask(database: Engine, number: str, customer_id: int | None, by: Actor | None = None) -> str:
    """The number. `customer_id`: whose it is, where they were asked for by that. Raises what the database raises, and
    nobody sees anything then."""
    subject = f"customer {customer_id}" if customer_id else number
    write(database, lambda connection: trail.note(connection, by, Deed.UNMASK, subject=subject))
    return number
