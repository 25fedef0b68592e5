"""What a message of a template says to one customer, as a network is given it: to be tried on numbers of our own."""

from dataclasses import dataclass

from sqlalchemy import Engine

from app.domain.greeting import Template, compile_template
from app.domain.page import Page, prepare
from app.domain.people import People
from app.errors import BadRequest, NotTried, UnknownCustomer
from app.gateways.base import Network
from app.store import customers

SOMEBODY = "测试"
"""Stands for every value in a template that a provider approved."""
LOOKED_AT = 1_000
"""Customers of whom the first that can be greeted is taken."""


@dataclass(frozen=True, slots=True)
class TrialMessage:
    """`text` is what goes out, `shown` what it is read as, by the customer of this id; 0 where it is none's."""

    text: str
    shown: str
    parts: int
    template_name: str = ""
    customer_id: int = 0


def message_of(network: Network, page: Page, template_name: str = "") -> TrialMessage:
    """That of the first on the page whose message the network takes. Raises NotTried where it takes none."""
    texts, counts = network.wording(template_name)(page)
    at = next((at for at, count in enumerate(counts) if 0 < count <= network.max_parts), 0)
    shown, _ = network.message(page.text.split("\n")[at], template_name)
    parts = counts[at]
    if not parts:
        raise NotTried("not_tried.value", gateway=network.name, template=template_name)
    if parts > network.max_parts:
        raise NotTried("not_tried.too_long", gateway=network.name, parts=parts, most=network.max_parts)
    return TrialMessage(texts[at], shown, parts, template_name, page.greeted.ids[at])


def trial_of(
    network: Network, number: int, text: str | None, template_name: str | None, otherwise: str
) -> TrialMessage:
    """What one number is to get: `text`, or `otherwise` without one; by a network that sends approved templates alone
    the one of this name, or the first, with the same value everywhere. Raises BadRequest and NotTried."""
    if not network.templates:
        if template_name is not None:
            raise BadRequest("no_named_templates", gateway=network.name)
        message, parts = network.message(text or otherwise)
        if parts > network.max_parts:
            raise BadRequest("text_too_long", gateway=network.name, parts=parts, most=network.max_parts)
        return TrialMessage(message, message, parts)
    chosen = template_name or next(iter(network.templates))
    if text is not None or chosen not in network.templates:
        raise BadRequest("unknown_template", gateway=network.name, known=", ".join(network.templates))
    template = compile_template(network.templates[chosen], None)
    page = prepare(template, People.of([(1, str(number), SOMEBODY, 1, *[SOMEBODY] * len(template.columns))]))
    return message_of(network, page, chosen)


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
