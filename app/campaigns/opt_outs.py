"""Numbers to which nothing is sent: people add and remove them, one by one or many out of a file."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from app.domain.actor import Actor, Deed
from app.store import opt_outs, trail
from app.store.faults import write

AT_ONCE = 1_000
"""Numbers in one transaction."""


def add(database: Engine, signature: str, mobile: int, by: Actor | None = None) -> int:
    """How many are new, 0 or 1."""
    return _add(database, signature, [mobile], "person", Deed.OPT_OUT_ADD, str(mobile), by)


def take_in(database: Engine, signature: str, mobiles: Sequence[int], by: Actor | None = None) -> int:
    """Of a file; how many are new. Each batch stands alone; the trail has one entry, with the first that adds some."""
    count = 0
    for at in range(0, len(mobiles), AT_ONCE):
        some = mobiles[at : at + AT_ONCE]
        count += _add(database, signature, some, "import", None if count else Deed.OPT_OUT_IMPORT, "", by, len(mobiles))
    return count


def _add(
    database: Engine,
    signature: str,
    mobiles: Sequence[int],
    source: str,
    deed: Deed | None,
    subject: str,
    by: Actor | None,
    given: int = 1,
) -> int:
    def unit(connection: Connection) -> int:
        count = opt_outs.add(connection, signature, mobiles, source)
        if count and deed:
            after = {"signature": signature, "numbers": given}
            trail.note(connection, by, deed, subject=subject, after=after)
        return count

    return write(database, unit)


def remove(database: Engine, signature: str, mobile: int, by: Actor | None = None) -> int:
    """They get messages again; how many there were, 0 or 1."""

    def unit(connection: Connection) -> int:
        count = opt_outs.remove(connection, signature, [mobile])
        if count:
            trail.note(connection, by, Deed.OPT_OUT_REMOVE, subject=str(mobile), before={"signature": signature})
        return count

    return write(database, unit)
