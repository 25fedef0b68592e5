"""Mobile numbers of a packed page, taken apart in bulk. Pure."""

from collections.abc import Iterable, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from app.domain.mobile import normalise

END = "\x1e"
"""Ends every mobile of a page, the last one too; a blank ends every id."""

Numbers = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""Ids, and beside each the 11 digits to dial as a number."""

_DIGITS = 11
_PLACES = _DIGITS + len(END)


def from_packed(count: int, ids: str, mobiles: str) -> Numbers | None:
    """Everyone in a page of `count` customers who has a usable number; None when the page does not come out even."""
    if ids[-1:] != " " or mobiles.count(END) != count or mobiles[-1:] != END:
        return None
    every = np.fromstring(ids, np.int64, sep=" ").astype(np.uint64)
    if len(every) != count:
        return None
    if (numbers := _all_plain(count, mobiles)) is not None:
        return every, numbers
    rows = mobiles.split(END)[:-1]
    looks_plain = [len(each) == _DIGITS and each.isascii() for each in rows]
    plain = np.array(looks_plain)
    numbers, are_usable = _numbers("".join(compress(rows, looks_plain)).encode(), _DIGITS)
    odd = from_rows(zip(every[~plain].tolist(), compress(rows, (not each for each in looks_plain)), strict=True))
    return join([(every[plain][are_usable], numbers[are_usable]), odd])


def from_rows(rows: Iterable[tuple[int, str]]) -> Numbers:
    """The same from ids and mobiles one by one, a hundred times slower."""
    usable = [(number, int(digits)) for number, mobile in rows if (digits := normalise(mobile))]
    ids, numbers = zip(*usable, strict=True) if usable else ((), ())
    return np.array(ids, np.uint64), np.array(numbers, np.uint64)


def join(parts: Sequence[Numbers]) -> Numbers:
    """All of several, one after the other; of one at least."""
    return np.concatenate([ids for ids, _ in parts]), np.concatenate([numbers for _, numbers in parts])


def _all_plain(count: int, mobiles: str) -> NDArray[np.uint64] | None:
    """The numbers, when each is written as 11 digits and can be dialled."""
    data = mobiles.encode()
    if len(data) != count * _PLACES or data[_DIGITS::_PLACES] != END.encode() * count:
        return None
    numbers, are_usable = _numbers(data, _PLACES)
    return numbers if are_usable.all() else None


def _numbers(data: bytes, places: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """What the first 11 of every so many bytes say as a number; and which of them are digits that can be dialled."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, places)
    digits = np.ascontiguousarray(rows[:, :_DIGITS].T) - np.uint8(ord("0"))  # what is none of them becomes 10 and more
    numbers = digits[0].astype(np.uint64)
    for each in digits[1:]:
        numbers *= np.uint64(10)
        numbers += each
    return numbers, (digits.max(axis=0) < 10) & (digits[0] == 1) & (digits[1] >= 3)
