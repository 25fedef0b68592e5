"""What a template comes to before anything is sent: some messages, and an estimate for everybody."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import Engine

from app.campaigns.checked_template import check_template
from app.campaigns.sample import sample, sample_of
from app.domain.audience import CUSTOMERS
from app.domain.genders import Genders, count_genders
from app.domain.greeting import Template
from app.domain.mobile import mask
from app.domain.page import Page, prepare
from app.domain.people import Customer, People
from app.domain.reject import Reason
from app.domain.sms_parts import Cost, Encoding, cost
from app.errors import UnknownCustomer
from app.gateways.base import Outgoing
from app.store import customers

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """One customer's message, or why there is none."""

    customer_id: int
    text: str
    cost: Cost | None
    rejected: Reason | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign would come to, worked out from a sample. Duplicates are not looked for."""

    audience: int
    sampled: int
    greeted: int
    """Of those sampled."""
    sms: int
    """That the greeted of the sample cost."""
    least: int
    """Parts that one of them has; 0 where nobody is greeted."""
    most: int
    encodings: Counter[Encoding]
    """How many messages of the sample are in each."""
    genders: Genders
    """Of everybody in the sample."""

    @property
    def messages(self) -> int:
        """About how many of the audience are greeted."""
        return self._of_all(self.greeted)

    @property
    def mean(self) -> float:
        """Parts of a message."""
        return self.sms / self.greeted if self.greeted else 0.0

    @property
    def total_sms(self) -> int:
        """About how many SMS they cost."""
        return self._of_all(self.sms)

    @property
    def is_exact(self) -> bool:
        """Whether everybody was looked at."""
        return self.sampled == self.audience

    def _of_all(self, of_sample: int) -> int:
        return round(of_sample * self.audience / self.sampled) if self.sampled else 0


@dataclass(frozen=True, slots=True)
class Preview:
    """Examples, and the whole."""

    examples: list[Example]
    estimate: Estimate


def preview(
    database: Engine,
    template_text: str,
    customer_id: int | None = None,
    *,
    added_columns: Collection[str] = (),
    masked: bool = False,
    by: Outgoing | None = None,
    audience: str = CUSTOMERS,
    ids: Sequence[int] | None = None,
    template_name: str = "",
) -> Preview:
    """The first, the middle and the last message of a sample, or that of one customer, and an estimate.

    `added_columns`: see checked_template. `masked`: the middle of mobiles is made unreadable. `by`: the gateway, whose
    way to cut a text counts, and what it does not take is not greeted; without one a text is counted as phones join
    parts most often, with a reference of 8 bits. `audience`: a table or view that is checked. `ids`: of those of it
    whom the campaign is for, where it is not for all. `template_name`: under which the gateway has the template, see
    checked_template.text_of; who has a value that its provider refuses is not greeted.
    Raises BadRequest for the template and UnknownCustomer.
    """
    template = check_template(database, template_text, added_columns, audience=audience)
    way = _Way(by, template_name)
    seen = _look(database, audience, template, way, ids)
    if customer_id is None:
        greeted = list(seen.page.greeted)
        shown = [greeted[at] for at in sorted({0, len(greeted) // 2, len(greeted) - 1})[:EXAMPLES]] if greeted else []
    else:
        with database.connect() as connection:
            shown = [*customers.page(connection, audience, customer_id - 1, customer_id, 1, template.columns)]
        if not shown:
            raise UnknownCustomer(customer_id)
    return Preview([_example(template, each, way, masked=masked) for each in shown], seen.estimate)


def estimate(
    database: Engine,
    audience: str,
    template: Template,
    by: Outgoing,
    ids: Sequence[int] | None = None,
    template_name: str = "",
) -> Estimate:
    """What a campaign by this gateway would come to; to some of the audience with `ids`."""
    return _look(database, audience, template, _Way(by, template_name), ids).estimate


class _Way:
    """How messages go out: by a gateway, under the name that it has for their template, or None by no certain one."""

    def __init__(self, by: Outgoing | None, template_name: str = "") -> None:
        self._by = by
        self._name = template_name
        self._word = by.wording(template_name) if by else None

    def texts(self, page: Page) -> list[str]:
        """What those who are greeted read."""
        texts = page.text.split("\n")[:-1]
        return [self._by.message(each, self._name)[0] for each in texts] if self._by else texts

    def costs(self, page: Page) -> list[Cost | Reason]:
        """What each of them costs, or why they are not sent."""
        costs = list(map(cost, self.texts(page)))
        if self._by is None or self._word is None:
            return [*costs]
        _, parts = self._word(page)
        return [self._sorted(each, count) for each, count in zip(costs, parts, strict=True)]

    def _sorted(self, found: Cost, parts: int) -> Cost | Reason:
        if not parts:
            return Reason.BAD_VALUE
        return Reason.TOO_LONG if self._by and parts > self._by.max_parts else replace(found, parts=parts)


class _Seen(NamedTuple):
    """A sample of customers, what they would get, and what that says of all."""

    page: Page
    estimate: Estimate


def _look(database: Engine, audience: str, template: Template, way: _Way, ids: Sequence[int] | None) -> _Seen:
    with database.connect() as connection:
        if ids is None:
            max_id = customers.max_id(connection, audience)
            in_all = customers.count(connection, audience, 0, max_id)
            people = sample(connection, audience, max_id, template.columns)
        else:
            in_all = len(ids)
            people = sample_of(connection, audience, ids, template.columns)
    page = prepare(template, People.of(people))
    costs = [each for each in way.costs(page) if isinstance(each, Cost)]
    parts = [each.parts for each in costs]
    found = Estimate(
        # Somebody may have moved in between the count and the sample.
        audience=max(in_all, len(people)),
        sampled=len(people),
        greeted=len(parts),
        sms=sum(parts),
        least=min(parts, default=0),
        most=max(parts, default=0),
        encodings=Counter(each.encoding for each in costs),
        genders=count_genders(each[3] for each in people),
    )
    return _Seen(page, found)


def _example(template: Template, customer: Customer, way: _Way, *, masked: bool) -> Example:
    page = prepare(template, People.of([customer]))
    if not page.greeted:
        return Example(customer[0], "", None, page.rejects[0].reason)
    (how_much,) = way.costs(page)
    if isinstance(how_much, Reason):
        return Example(customer[0], "", None, how_much)
    (text,) = way.texts(page)
    if masked:
        # First where it stands, for in a message a digit may follow it; then wherever else the message has one.
        greeted = replace(page.greeted, mobiles=[*map(mask, page.greeted.mobiles)])
        (text,) = way.texts(replace(page, text=mask(template.fill(greeted))))
    return Example(customer[0], text, how_much, None)
