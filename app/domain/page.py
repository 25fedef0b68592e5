"""A page of customers becomes messages and rejects: one rule for those who send, check and mend. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.domain.greeting import Customer, Template
from app.domain.mobile import are_usable, normalise
from app.domain.reject import Reason, Reject


@dataclass(frozen=True, slots=True)
class Page:
    """Customers in id order, sorted out. Nobody is in both `greeted` and `rejects`, and nobody in neither."""

    text: str
    """The messages of those greeted, a line each."""
    greeted: Sequence[Customer]
    """With their mobiles in the one form that the messages show."""
    rejects: Sequence[Reject]
    female: int
    unknown: int

    @property
    def sent(self) -> int:
        return len(self.greeted)

    @property
    def male(self) -> int:
        return len(self.greeted) - self.female - self.unknown


def prepare(template: Template, customers: Sequence[Customer], duplicates: Collection[int] = ()) -> Page:
    """Sort a page out. `duplicates`: ids of customers whose mobile somebody with a lower id has; ids of others than
    these customers mean nothing.

    A page is looked at as a whole, column by column, and one by one only where something is odd: two million customers
    are to cost no more for the few who are.
    """
    if not customers:
        return Page("", [], [], 0, 0)
    columns = list(zip(*customers, strict=True))
    ids, mobiles, names, *_ = columns
    rejects: Sequence[Reject] = []
    if (
        not are_usable(mobiles)
        or not all(map(str.strip, names))
        or (duplicates and not set(ids).isdisjoint(duplicates))
    ):
        customers, rejects = _sort_out(customers, frozenset(duplicates))
        columns = list(zip(*customers, strict=True))
    if not customers:
        return Page("", [], rejects, 0, 0)
    genders = columns[3]
    return Page(template.fill(columns), customers, rejects, genders.count(0), genders.count(None))


def _sort_out(customers: Sequence[Customer], duplicates: Collection[int]) -> tuple[list[Customer], list[Reject]]:
    greeted: list[Customer] = []
    rejects: list[Reject] = []
    for customer in customers:
        number, given, name, gender, *values = customer
        mobile = normalise(given)
        if mobile is None:
            rejects.append(Reject(number, Reason.BAD_MOBILE if given.strip() else Reason.NO_MOBILE))
        elif not name.strip():
            rejects.append(Reject(number, Reason.NO_NAME))
        elif number in duplicates:
            rejects.append(Reject(number, Reason.DUPLICATE))
        else:
            greeted.append(customer if mobile is given else (number, mobile, name, gender, *values))
    return greeted, rejects
