"""Makes up customers, in bulk and always the same ones for the same seed. Pure: no files, no database."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from seed.profile import Profile

T = TypeVar("T")
Row = tuple[int, str, int | None, str]
"""id, name, gender (0 a woman, 1 a man, None not known), mobile."""

CHUNK_ROWS = 50_000
"""Customers in one chunk, about 12 MB; divides TAILS."""

HEADS_PER_PREFIX = 1_000
TAILS = 100_000
"""A mobile is a head of six digits, the prefix being the first three, and a tail of five."""

UNKNOWN_GENDER = 0.01
"""Share of customers whose gender nobody entered; their given name is a woman's or a man's."""

SLOTS = 100_000


LARGEST_ID = 2**32 - 1
"""What the column `id` of `customers` holds, INT UNSIGNED."""


def limit(profile: Profile) -> int:
    """The most customers that can have an id, and a mobile of their own."""
    return min(len(profile.prefixes) * HEADS_PER_PREFIX * TAILS, LARGEST_ID)


def chunks(profile: Profile, seed: int, count: int) -> Iterator[list[Row]]:
    """Customers 1 to `count` in id order, in lists of `CHUNK_ROWS`, the last one shorter; no list for 0.

    `seed` and `count` are 0 or more, `count` at most `limit(profile)`. A smaller count gives the beginning
    of a larger one.

    Only `Random.random()` is drawn from, the one sequence that Python promises to keep between versions.
    Source: https://docs.python.org/3/library/random.html#notes-on-reproducibility
    """
    if not 0 <= count <= limit(profile):
        raise ValueError(f"count is {count}, must be 0 to {limit(profile)}")
    source = random.Random(seed)  # noqa: S311 - these people guard no secret
    draw = source.random
    mobiles = _Mobiles(profile.prefixes, source)
    surnames = spread(profile.surnames)
    called = spread(_called(profile))
    surname_count, called_count = len(surnames), len(called)
    for start in range(0, count, CHUNK_ROWS):
        yield [
            (id_, surnames[int(draw() * surname_count)] + given, gender, mobile)
            for id_, mobile in enumerate(mobiles.chunk(start, min(start + CHUNK_ROWS, count)), start + 1)
            for given, gender in [called[int(draw() * called_count)]]
        ]


def spread(shares: Iterable[tuple[T, float]]) -> list[T]:
    """Each value as often as its share of about `SLOTS` places, and at least once: a draw is then one index.

    Exact to 1/100,000 for each value.
    """
    shares = list(shares)
    whole = sum(share for _, share in shares)
    return [value for value, share in shares for _ in range(max(1, round(share / whole * SLOTS)))]


def _called(profile: Profile) -> Iterator[tuple[tuple[str, int | None], float]]:
    """Every given name with the gender it stands for, and how frequent the two are together."""
    known = (1 - UNKNOWN_GENDER) / 2
    everyone = [*profile.women, *profile.men]
    yield from (((name, 0), known / len(profile.women)) for name in profile.women)
    yield from (((name, 1), known / len(profile.men)) for name in profile.men)
    yield from (((name, None), UNKNOWN_GENDER / len(everyone)) for name in everyone)


class _Mobiles:
    """A shuffle of every possible mobile that needs no memory of those given out.

    A running number is cut into a head and a tail, then three times one half is shifted by what a random
    table says of the other half. Each shift can be undone, so no two numbers give one mobile: a Feistel
    network over mixed radices. Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (2002),
    the Generalized-Feistel construction.
    """

    def __init__(self, prefixes: Sequence[str], source: random.Random) -> None:
        draw = source.random
        self._heads = [f"{prefix}{n:03d}" for prefix in prefixes for n in range(HEADS_PER_PREFIX)]
        self._tails = [f"{n:05d}" for n in range(TAILS)]
        heads = len(self._heads)
        self._first = [int(draw() * heads) for _ in range(TAILS)]
        self._second = [int(draw() * TAILS) for _ in range(heads)]
        self._third = [int(draw() * heads) for _ in range(TAILS)]

    def chunk(self, start: int, stop: int) -> list[str]:
        """The mobiles of the running numbers `start` to `stop` - 1, which are in one chunk."""
        heads, tails, second, third = self._heads, self._tails, self._second, self._third
        head_count = len(heads)
        old_head, old_tail = divmod(start, TAILS)
        return [
            heads[(head + third[tail]) % head_count] + tails[tail]
            for at, shift in enumerate(self._first[old_tail : old_tail + stop - start], old_tail)
            for head in [(old_head + shift) % head_count]
            for tail in [(at + second[head]) % TAILS]
        ]
