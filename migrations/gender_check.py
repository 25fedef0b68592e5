"""The table of customers refuses a gender that is none: neither 0, a woman, nor 1, a man, nor NULL.

Nobody's data is changed for it. MySQL and MariaDB take no CHECK that a row breaks, so where there is such a row the
table stays as it is, and the next upgrade tries again. SQLite would have to copy the table, and what belongs to it
would be lost on the way; there two triggers do the same, for all that is written from now on.
"""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.store.genders import can_be_guarded, in_words, is_guarded, odd_values
from app.store.tables import GENDER_CHECK
from app.wording import counted

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


def refusal(connection: Connection) -> str:
    """Why the table goes on taking what is no gender, in a sentence for the operator; '' where it does not."""
    if not can_be_guarded(connection) or is_guarded(connection) or not (odd := odd_values(connection)):
        return ""
    having = counted(sum(odd.values()), "customer has", "customers have")
    return (
        f"{having} a gender that is none, {in_words(odd)}, so the table goes on taking such; write 0 for a woman, "
        "1 for a man, NULL where it is unknown, and run this again"
    )


def remove(connection: Connection) -> None:
    """Let the table take everything again."""
    if connection.dialect.name == "sqlite":
        for name in _MOMENTS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {GENDER_CHECK}_{name}")
    elif can_be_guarded(connection) and is_guarded(connection):
        connection.exec_driver_sql(f"ALTER TABLE customers DROP CONSTRAINT {GENDER_CHECK}")
