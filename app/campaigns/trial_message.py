"""What a message of a template says to one customer, as a network is given it: to be tried on numbers of our own."""

from dataclasses import dataclass

from sqlalchemy import Engine

from app.domain.greeting import Template
from app.domain.page import Page, prepare
from app.domain.people import People
from app.errors import NotTried, UnknownCustomer
from app.gateways.base import Network
from app.store import customers

LOOKED_AT = 1_000
"""Customers of whom the first that can be greeted is taken."""


@dataclass(frozen=True, slots=True)
class TrialMessage:
    """`text` is what goes out, `shown` what it is read as."""

    text: str
    shown: str
    parts: int
    template_name: str = ""


def message_of(network: Network, page: Page, template_name: str = "") -> TrialMessage:
    """That of the first on the page. Raises NotTried where the network does not take it."""
    (text, *_), (parts, *_) = network.wording(template_name)(page)
    shown, _ = network.message(page.text.split("\n")[0], template_name)
    if not parts:
        raise NotTried("not_tried.value", gateway=network.name, template=template_name)
    if parts > network.max_parts:
        raise NotTried("not_tried.too_long", gateway=network.name, parts=parts, most=network.max_parts)
    return TrialMessage(text, shown, parts, template_name)


def page_of(database: Engine, template: Template, audience: str, customer_id: int | None) -> Page:
    """A page of this customer, or of the first ones. Raises UnknownCustomer, and NotTried where nobody on it is
    greeted."""
    after_id, to_id = (0, 2**32 - 1) if customer_id is None else (customer_id - 1, customer_id)
    with database.connect() as connection:
        people = customers.page(connection, audience, after_id, to_id, LOOKED_AT, template.columns)
    if customer_id is not None and not len(people):
        raise UnknownCustomer(customer_id)
    page = prepare(template, People.of(list(people)))
    if not len(page.greeted):
        if customer_id is None:
            raise NotTried("not_tried.nobody", audience=audience)
        raise NotTried("not_tried.rejected", id=customer_id, reason=page.rejects[0].reason.value)
    return page
