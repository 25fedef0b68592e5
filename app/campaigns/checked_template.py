"""A sender's template, checked against the table that it is filled in from."""

from collections.abc import Collection

from sqlalchemy import Engine

from app.domain.audience import CUSTOMERS
from app.domain.greeting import Template, compile_template
from app.errors import UnknownPlaceholder
from app.store import customers


def check_template(
    database: Engine, text: str, added_columns: Collection[str] = (), *, audience: str = CUSTOMERS
) -> Template:
    """The template, ready. Raises BadRequest; for an unknown placeholder with the list of known ones.

    `added_columns`: those that it may show besides the ones of our own schema.
    The table is looked at only when the template names something that is not in every template.
    """
    try:
        return compile_template(text)
    except UnknownPlaceholder:
        with database.connect() as connection:
            return compile_template(text, customers.columns(connection, audience, added_columns))
