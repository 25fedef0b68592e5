"""Sorted runs of numbers in files: written once, read in blocks, kept over a crash."""

import os
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.dedupe.packed_numbers import Numbers, join

_OFFSET_BITS = 31
_OFFSET_MASK = (1 << _OFFSET_BITS) - 1
FRESH_S = 300.0
"""How long a run may be taken up by another process: numbers change meanwhile."""
MOST_IDS = _OFFSET_MASK
"""The longest range of ids that one run can hold."""

Keys = NDArray[np.uint64]
"""A number above 13,000,000,000 in the upper 33 bits, `id - after_id` in the lower 31: sorted by number, then id."""
LOWEST_NUMBER = 13_000_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """The file of everyone with `after_id < id <= to_id`: `CRC-32 u64 | keys u64…`, little-endian, sorted."""

    path: Path
    after_id: int
    to_id: int

    def write(self, numbers: list[Numbers]) -> None:
        """Sort and store, whole or not at all: under another name first. No sync, for the checksum tells."""
        ids, keys = join(numbers)
        keys -= np.uint64(LOWEST_NUMBER)
        keys <<= np.uint64(_OFFSET_BITS)
        keys |= ids - np.uint64(self.after_id)
        keys.sort()
        keys = (
            keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
        )  # nobody shares with himself
        data = keys.astype("<u8", copy=False).view(np.uint8).data
        part = self.path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(zlib.crc32(data).to_bytes(8, "little"))
            file.write(data)
        part.rename(self.path)

    def is_whole(self) -> bool:
        """Whether the file is there, is what was written, and was written not long ago."""
        try:
            if not 0 <= time.time() - self.path.stat().st_mtime < FRESH_S:
                return False
            content = self.path.read_bytes()
        except FileNotFoundError:
            return False
        return len(content) >= 8 and zlib.crc32(memoryview(content)[8:]) == int.from_bytes(content[:8], "little")


class RunReader:
    """Takes numbers from a run in ascending order, and holds a block of them in memory, two at most."""

    def __init__(self, run: Run, block: int) -> None:
        self._run = run
        self._block = block
        self._left = (run.path.stat().st_size - 8) // 8
        self._position = 8
        self._keys: Keys = np.zeros(0, np.uint64)
        self._fill()

    @property
    def is_done(self) -> bool:
        return not len(self._keys)

    @property
    def sure_up_to(self) -> int | None:
        """Up to this number, everything there is stands in memory, but for more of this number; None: all of it is."""
        return int(self._keys[-1]) >> _OFFSET_BITS if self._left else None

    def take(self, up_to: int | None) -> Keys:
        """Remove the keys of numbers up to this one, all without it."""
        cut = len(self._keys) if up_to is None else int(self._keys.searchsorted(np.uint64((up_to + 1) << _OFFSET_BITS)))
        taken, self._keys = self._keys[:cut], self._keys[cut:]
        self._fill()
        return taken

    def ids(self, keys: Keys) -> NDArray[np.uint64]:
        return (keys & np.uint64(_OFFSET_MASK)) + np.uint64(self._run.after_id)

    def _fill(self) -> None:
        # A rest that grew small would hold up all the other runs at its last number.
        if self._left and len(self._keys) <= self._block // 2:
            count = min(self._left, self._block)
            more = np.fromfile(self._run.path, "<u8", count, offset=self._position)
            self._keys = np.concatenate((self._keys, more))
            self._left -= count
            self._position += 8 * count


def numbers_of(keys: Keys) -> NDArray[np.uint64]:
    """The numbers in keys, less the lowest there can be."""
    return keys >> np.uint64(_OFFSET_BITS)


def among(keys: Keys, numbers: NDArray[np.uint64]) -> Keys:
    """The keys of these numbers only, which are in ascending order."""
    begin = keys.searchsorted(numbers << np.uint64(_OFFSET_BITS))
    each_has = keys.searchsorted((numbers + np.uint64(1)) << np.uint64(_OFFSET_BITS)) - begin
    ahead = each_has.cumsum() - each_has
    at = np.arange(each_has.sum()) + np.repeat(begin - ahead, each_has)
    return cast(Keys, keys[at])
