"""A sender's template, checked against the table that it is filled in from."""

from collections.abc import Collection

from sqlalchemy import Engine

from app.domain.audience import CUSTOMERS
from app.domain.greeting import Template, compile_template
from app.errors import BadRequest, UnknownPlaceholder
from app.gateways.base import Outgoing
from app.store import customers


def text_of(by: Outgoing | None, gateway: str, template: str | None, template_name: str | None) -> str | None:
    """The text that goes out by the gateway of this name, None for the usual one: `template`, or that of an approved
    template. Raises BadRequest where they do not fit the gateway. `by`: None for the log."""
    if template is not None and template_name is not None:
        raise BadRequest("template_twice")
    known = by.templates if by else {}
    if not known:
        if template_name is not None:
            raise BadRequest("no_named_templates", gateway=gateway[:64])
        return template
    if template_name is None or template_name not in known:
        raise BadRequest("unknown_template", gateway=gateway, known=", ".join(known))
    return known[template_name]


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
