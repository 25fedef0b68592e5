"""A page of customers becomes messages and rejects: one rule for those who send, check and mend. Pure."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.domain.greeting import Template
from app.domain.mobile import normalise, odd_places
from app.domain.people import People
from app.domain.reject import Reason, Reject
from app.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class Page:
    """Customers sorted out. Nobody is in both `greeted` and `rejects`, and nobody in neither."""

    text: str
    """The messages of those greeted, a line each."""
    greeted: People
    """With their mobiles in the one form that the messages show."""
    rejects: Sequence[Reject]
    tally: Tally


def prepare(template: Template, people: People, duplicates: Collection[int] = frozenset()) -> Page:
    """Sort a page out. `duplicates`: ids of customers whose mobile somebody with a lower id has; ids of others than
    these customers mean nothing; a set, for many are looked up.

    A page is looked at as a whole, column by column, and one by one only those of whom something is odd: two million
    customers are to cost no more for the few who are.
    """
    rejects: list[Reject] = []
    if odd := _odd_places(people, duplicates):
        people, rejects = _sort_out(people, odd, duplicates)
    text = template.fill(people)
    return Page(text, people, rejects, replace(by_form(people.genders), rejected=len(rejects)))


def by_form(genders: Sequence[int | None]) -> Tally:
    """How many messages people of these genders got, by form of address."""
    sent, female, neutral = len(genders), genders.count(0), genders.count(None)
    return Tally(sent=sent, male=sent - female - neutral, female=female, neutral=neutral)


def _odd_places(people: People, duplicates: Collection[int]) -> set[int]:
    """Where those stand who cannot be greeted just as they are."""
    odd = set(odd_places(people.mobiles))
    if not all(map(str.strip, people.names)):
        odd.update(place for place, name in enumerate(people.names) if not name.strip())
    for number in duplicates:
        place = bisect_left(people.ids, number)
        if place < len(people) and people.ids[place] == number:
            odd.add(place)
    return odd


def _sort_out(people: People, odd: Collection[int], duplicates: Collection[int]) -> tuple[People, list[Reject]]:
    """Those who are greeted after all, and the rejects."""
    mobiles = list(people.mobiles)
    rejects: list[Reject] = []
    rejected: list[int] = []
    for place in sorted(odd):
        number, given, name = people.ids[place], mobiles[place], people.names[place]
        mobile = normalise(given)
        reason = _reason(given, mobile, name, is_duplicate=number in duplicates)
        if mobile is not None and reason is None:
            mobiles[place] = mobile
        elif reason:
            rejected.append(place)
            rejects.append(Reject(number, reason))
    return replace(people, mobiles=mobiles).without(rejected), rejects


def _reason(given: str, mobile: str | None, name: str, *, is_duplicate: bool) -> Reason | None:
    if mobile is None:
        return Reason.BAD_MOBILE if given.strip() else Reason.NO_MOBILE
    if not name.strip():
        return Reason.NO_NAME
    return Reason.DUPLICATE if is_duplicate else None
