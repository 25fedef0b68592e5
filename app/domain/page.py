"""A page of customers becomes messages and rejects: one rule for those who send, check and mend. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from app.domain.greeting import Customer, Template
from app.domain.mobile import normalise, odd_places
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


def prepare(template: Template, customers: Sequence[Customer], duplicates: Collection[int] = frozenset()) -> Page:
    """Sort a page out. `duplicates`: ids of customers whose mobile somebody with a lower id has; ids of others than
    these customers mean nothing; a set, for many are looked up.

    A page is looked at as a whole, column by column, and one by one only those of whom something is odd: two million
    customers are to cost no more for the few who are.
    """
    if not customers:
        return Page("", [], [], 0, 0)
    columns = list(zip(*customers, strict=True))
    rejects: list[Reject] = []
    if odd := _odd_places(columns, duplicates):
        customers, rejects = _sort_out(customers, odd, duplicates)
        columns = list(zip(*customers, strict=True))
    if not customers:
        return Page("", [], rejects, 0, 0)
    genders = columns[3]
    return Page(template.fill(columns), customers, rejects, genders.count(0), genders.count(None))


def _odd_places(columns: Sequence[Sequence[Any]], duplicates: Collection[int]) -> set[int]:
    """Where those stand who cannot be greeted just as they are."""
    ids, mobiles, names, *_ = columns
    odd = set(odd_places(mobiles))
    if not all(map(str.strip, names)):
        odd.update(place for place, name in enumerate(names) if not name.strip())
    if duplicates and not set(ids).isdisjoint(duplicates):
        odd.update(place for place, number in enumerate(ids) if number in duplicates)
    return odd


def _sort_out(
    customers: Sequence[Customer], odd: Collection[int], duplicates: Collection[int]
) -> tuple[list[Customer], list[Reject]]:
    """Those who are greeted after all, and the rejects."""
    greeted = list(customers)
    rejects: list[Reject] = []
    keep = bytearray(b"\1") * len(greeted)
    for place in sorted(odd):
        number, given, name, gender, *values = greeted[place]
        mobile = normalise(given)
        reason = _reason(given, mobile, name, is_duplicate=number in duplicates)
        if mobile is not None and reason is None:
            greeted[place] = (number, mobile, name, gender, *values)
        elif reason:
            keep[place] = 0
            rejects.append(Reject(number, reason))
    return list(compress(greeted, keep)), rejects


def _reason(given: str, mobile: str | None, name: str, *, is_duplicate: bool) -> Reason | None:
    if mobile is None:
        return Reason.BAD_MOBILE if given.strip() else Reason.NO_MOBILE
    if not name.strip():
        return Reason.NO_NAME
    return Reason.DUPLICATE if is_duplicate else None
