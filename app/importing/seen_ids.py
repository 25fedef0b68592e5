"""Which ids were there before, in a bit for each: 8 KB for 65,536 of them, where there are some."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 2**13


class SeenIds:
    """Ids are from 0 to 2**32 - 1."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, number: int) -> bool:
        """Whether it is new; then it is noted."""
        block = self._block(number >> 16)
        at, bit = (number & 0xFFFF) >> 3, 1 << (number & 7)
        is_new = not block[at] & bit
        block[at] |= bit
        return is_new

    def add_all(self, numbers: Sequence[int] | NDArray[np.uint64]) -> bool:
        """Whether each of them is new, and none stands there twice; only then they are noted."""
        ordered = np.sort(np.array(numbers, np.uint32))
        if (ordered[1:] == ordered[:-1]).any():
            return False
        parts = []
        for some in np.split(ordered, np.flatnonzero(np.diff(ordered >> 16)) + 1):
            block = np.frombuffer(self._block(int(some[0] >> 16)), np.uint8)
            at, bit = (some & 0xFFFF) >> 3, np.uint8(1) << (some & 7).astype(np.uint8)
            if (block[at] & bit).any():
                return False
            parts.append((block, at, bit))
        for block, at, bit in parts:
            np.bitwise_or.at(block, at, bit)
        return True

    def _block(self, number: int) -> bytearray:
        if (block := self._blocks.get(number)) is None:
            block = self._blocks[number] = bytearray(_BLOCK_BYTES)
        return block
