"""Mobile numbers of a packed page, taken apart in bulk. Pure; the only room of the domain that needs numpy."""

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.domain.mobile import normalise

END, BETWEEN = "\x1e", "\x1f"
"""A record is an id, BETWEEN, a mobile, END."""

Numbers = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""Ids, and beside each the 11 digits to dial as a number."""

_PLAIN_DIGITS = 11
_LONGEST_ID = 16
_ZEROS = 0x3030303030303030  # "00000000"


def from_packed(count: int, packed: str) -> Numbers | None:
    """Everyone in a page of `count` records who has a usable number; None when the page does not come out even."""
    data = b"0" * _LONGEST_ID + packed.encode()  # so that 16 characters stand before every place that is read
    letters = np.frombuffer(data, np.uint8)
    stops = np.flatnonzero(letters == ord(END))
    if len(stops) != count or np.count_nonzero(letters == ord(BETWEEN)) != count or letters[-1] != ord(END):
        return None
    starts = np.concatenate(([_LONGEST_ID], stops[:-1] + 1))
    # Eight characters from every place on, as one number: a window that moves by a byte.
    window = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    id_stops = stops - _PLAIN_DIGITS - 1
    id_lengths = id_stops - starts
    looks_plain = (id_lengths > 0) & (id_lengths <= _LONGEST_ID) & (letters[id_stops] == ord(BETWEEN))
    numbers, are_digits = _decimal(window, stops, np.full(count, _PLAIN_DIGITS))
    ids, _ = _decimal(window, id_stops, np.where(looks_plain, id_lengths, 0))
    plain = looks_plain & are_digits & (numbers >= 13_000_000_000) & (numbers < 20_000_000_000)
    if plain.all():
        return ids, numbers
    places = np.flatnonzero(~plain)
    odd = [data[start:stop].decode() for start, stop in zip(starts[places], stops[places], strict=True)]
    return join([(ids[plain], numbers[plain]), from_rows(_in_two(record) for record in odd)])


def from_rows(rows: Iterable[tuple[int | str, str]]) -> Numbers:
    """The same from ids and mobiles one by one, a hundred times slower."""
    usable = [(int(number), int(digits)) for number, mobile in rows if (digits := normalise(mobile))]
    ids, numbers = zip(*usable, strict=True) if usable else ((), ())
    return np.array(ids, np.uint64), np.array(numbers, np.uint64)


def _in_two(record: str) -> tuple[str, str]:
    number, _, mobile = record.partition(BETWEEN)
    return number, mobile


def join(parts: Sequence[Numbers]) -> Numbers:
    """All of several, one after the other; of one at least."""
    return np.concatenate([ids for ids, _ in parts]), np.concatenate([numbers for _, numbers in parts])


def _decimal(
    window: NDArray[np.uint64], stops: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number that `lengths` characters before each of `stops` say, 16 at most; and whether all are digits."""
    low, low_is_good = _eight_digits(window[stops - 8], np.minimum(lengths, 8))
    if not (lengths > 8).any():
        return low, low_is_good
    high, high_is_good = _eight_digits(window[stops - 16], np.maximum(lengths - 8, 0))
    return high * 100_000_000 + low, low_is_good & high_is_good


def _eight_digits(
    letters: NDArray[np.uint64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number that the last `lengths` of eight characters say, the first of them in the lowest byte.

    Pairs of digits become numbers below 100, pairs of those numbers below 10,000, and so on: three steps for eight
    digits. Source: "Faster integer parsing" by Johnny Lee, the trick called SWAR.
    """
    keep = ~np.uint64(0) << (8 * (8 - lengths)).astype(np.uint64)
    keep[lengths == 0] = 0  # to shift by all 64 bits is not defined
    letters = (letters & keep) | (~keep & _ZEROS)
    high_halves = 0xF0F0F0F0F0F0F0F0
    are_digits = ((letters & high_halves) == _ZEROS) & (((letters + 0x0606060606060606) & high_halves) == _ZEROS)
    values = letters - _ZEROS
    values = values * 10 + (values >> 8)
    every_other = 0x000000FF000000FF
    values = (values & every_other) * 0x000F424000000064 + ((values >> 16) & every_other) * 0x0000271000000001
    return cast(NDArray[np.uint64], values >> 32), are_digits
