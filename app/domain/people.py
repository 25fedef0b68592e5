"""Customers, column by column: most of what is done with a page of them is done with whole columns. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any, Self, cast

Customer = tuple[int, str, str, int | None, *tuple[str, ...]]
"""id, mobile, name, gender: 0 is a woman, None unknown, any other value a man. Then the values of the columns that the
template asks for, as text, '' for NULL."""


@dataclass(frozen=True, slots=True)
class People:
    """Some customers, in ascending order of ids. The columns are of equal length and hold what `Customer` says."""

    ids: Sequence[int]
    mobiles: Sequence[str]
    names: Sequence[str]
    genders: Sequence[int | None]
    values: tuple[Sequence[str], ...] = ()
    """A column for each that the template asks for."""

    @classmethod
    def of(cls, rows: Sequence[Customer]) -> Self:
        """These, in the order given."""
        return cls.by_column(list(zip(*rows, strict=True)) if rows else [(), (), (), ()])

    @classmethod
    def by_column(cls, columns: Sequence[Sequence[Any]]) -> Self:
        """The same from whole columns, in the order of a Customer's fields."""
        ids, mobiles, names, genders, *values = columns
        return cls(ids, mobiles, names, genders, tuple(values))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All of them, one part after the other."""
        parts = [each for each in parts if len(each)]
        if len(parts) < 2:
            return parts[0] if parts else cls.of([])
        return cls.by_column([list(chain(*columns)) for columns in zip(*(each.columns for each in parts), strict=True)])

    @property
    def columns(self) -> tuple[Sequence[Any], ...]:
        """All of them, in the order of a Customer's fields."""
        return (self.ids, self.mobiles, self.names, self.genders, *self.values)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Customer]:
        return cast(Iterator[Customer], zip(*self.columns, strict=True))

    def first(self, count: int) -> Self:
        """Those with the lowest ids, so many at most."""
        return self.by_column([column[:count] for column in self.columns])

    def after(self, count: int) -> Self:
        """All but those with the lowest ids, so many."""
        return self.by_column([column[count:] for column in self.columns])

    def where(self, holds: Sequence[bool]) -> Self:
        """Those at whose places it holds."""
        return self.by_column([list(compress(column, holds)) for column in self.columns])

    def without(self, places: Sequence[int]) -> Self:
        """All but those at these places, which are in ascending order."""
        # Few are missing as a rule, and what stands between them is copied as a whole.
        kept = list(zip([0, *(place + 1 for place in places)], [*places, len(self)], strict=True))
        return self.by_column(
            [list(chain.from_iterable(column[start:end] for start, end in kept)) for column in self.columns]
        )
