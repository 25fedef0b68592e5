"""The table of customers refuses a gender that is none: neither 0, a woman, nor 1, a man, nor NULL.

Nobody's data is changed for it. MySQL and MariaDB take no CHECK that a row breaks, so where there is such a row the
table stays as it is, and the next upgrade tries again. SQLite would have to copy the table, and what belongs to it
would be lost on the way; there two triggers do the same, for all that is written from now on.
"""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.sentence import Sentence
from app.store.genders import can_be_guarded, is_guarded, odd_values, shown
from app.store.tables import GENDER_CHECK

_MOMENTS = {"insert": "INSERT", "update": "UPDATE OF gender"}
_TRIGGER = """
    CREATE TRIGGER IF NOT EXISTS {name} BEFORE {moment} ON customers WHEN NEW.gender NOT IN (0, 1)
    BEGIN SELECT RAISE(ABORT, 'customers.gender is 0 (a woman), 1 (a man) or NULL'); END
"""


def add(connection: Connection) -> None:
    """Put it in place, unless it is there or a customer breaks it. MySQL copies the table: 6 s for two million, in
    which it can be read. May be run again after whatever death."""
    if not can_be_guarded(connection) or is_guarded(connection):
        return
    if connection.dialect.name == "sqlite":
        for name, moment in _MOMENTS.items():
            connection.exec_driver_sql(_TRIGGER.format(name=f"{GENDER_CHECK}_{name}", moment=moment))
    elif not odd_values(connection):
        try:
            connection.exec_driver_sql(f"ALTER TABLE customers ADD CONSTRAINT {GENDER_CHECK} CHECK (gender IN (0, 1))")
        except DBAPIError:
            # A customer came meanwhile; or another upgrade did it, such as one that was killed and the server went on.
            if not (odd_values(connection) or is_guarded(connection)):
                raise


def refusal(connection: Connection) -> Sentence | None:
    """Why the table goes on taking what is no gender; None where it does not."""
    if not can_be_guarded(connection) or is_guarded(connection) or not (odd := odd_values(connection)):
        return None
    return Sentence("schema.odd_genders", count=sum(odd.values()), odd=shown(odd))


def remove(connection: Connection) -> None:
    """Let the table take everything again."""
    if connection.dialect.name == "sqlite":
        for name in _MOMENTS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {GENDER_CHECK}_{name}")
    elif can_be_guarded(connection) and is_guarded(connection):
        connection.exec_driver_sql(f"ALTER TABLE customers DROP CONSTRAINT {GENDER_CHECK}")
