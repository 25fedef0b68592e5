"""What a template comes to before anything is sent: some messages, and an estimate for everybody."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from app.campaigns.checked_template import check_template
from app.campaigns.sample import sample
from app.domain.genders import Genders, count_genders
from app.domain.greeting import Template
from app.domain.mobile import mask
from app.domain.page import prepare
from app.domain.people import Customer, People
from app.domain.reject import Reason
from app.domain.sms_parts import Cost, Encoding, cost
from app.errors import UnknownCustomer
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
    encodings: Counter[Encoding]
    """How many messages of the sample are in each."""
    genders: Genders
    """Of everybody in the sample."""

    @property
    def messages(self) -> int:
        """About how many of the audience are greeted."""
        return self._of_all(self.greeted)

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
) -> Preview:
    """The first, the middle and the last message of a sample, or that of one customer, and an estimate.

    `added_columns`: see checked_template. `masked`: the middle of mobiles is made unreadable.
    Raises BadRequest for the template and UnknownCustomer.
    """
    template = check_template(database, template_text, added_columns)
    with database.connect() as connection:
        max_id = customers.max_id(connection)
        audience = customers.count(connection, 0, max_id)
        people = sample(connection, max_id, template.columns)
        if customer_id is not None:
            shown = [*customers.page(connection, customer_id - 1, customer_id, 1, template.columns)]
            if not shown:
                raise UnknownCustomer(customer_id)
    page = prepare(template, People.of(people))
    if customer_id is None:
        greeted = list(page.greeted)
        shown = [greeted[at] for at in sorted({0, len(greeted) // 2, len(greeted) - 1})[:EXAMPLES]] if greeted else []
    costs = [cost(line) for line in page.text.split("\n")[:-1]]
    return Preview(
        [_example(template, each, masked=masked) for each in shown],
        Estimate(
            # Somebody may have moved in between the count and the sample.
            audience=max(audience, len(people)),
            sampled=len(people),
            greeted=page.tally.sent,
            sms=sum(each.parts for each in costs),
            encodings=Counter(each.encoding for each in costs),
            genders=count_genders(each[3] for each in people),
        ),
    )


def _example(template: Template, customer: Customer, *, masked: bool) -> Example:
    page = prepare(template, People.of([customer]))
    if not page.greeted:
        return Example(customer[0], "", None, page.rejects[0].reason)
    text = page.text.removesuffix("\n")
    how_much = cost(text)
    if masked:
        # First where it stands, for in a message a digit may follow it; then wherever else the message has one.
        greeted = replace(page.greeted, mobiles=[*map(mask, page.greeted.mobiles)])
        text = mask(template.fill(greeted).removesuffix("\n"))
    return Example(customer[0], text, how_much, None)
