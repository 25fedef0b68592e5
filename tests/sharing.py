"""Which tests go to the same process, where several run them. The first process decides it; it knows only names."""

from functools import cache
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.keeper import ROOT

SMALL = ("tests/house/", "tests/unit/")
"""A file of these is one piece: to hand its tests out one by one would take longer than to run them."""


class Sharing(LoadScopeScheduling):
    """Hands out one piece after the other, in the order in which the tests stand there.

    xdist's own `loadgroup` writes the name of the group into the test's, which pytest from 9.2 on does not let it do.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        # After every test xdist counts what is left of each piece; of thousands, that takes longer than the tests do.
        work = self.assigned_work[node]
        for piece in [piece for piece, tests in work.items() if all(tests.values())]:
            del work[piece]


def piece_of(nodeid: str) -> str:
    """The name of what goes to one process together with this test: its file, or nothing else."""
    file = nodeid.partition("::")[0]
    return file if _is_one_piece(file) else nodeid


@cache
def _is_one_piece(file: str) -> bool:
    """Whether all tests of a file go to one process: they are small, or share what is made once, such as a server."""
    text = (ROOT / file).read_text()
    return 'scope="module"' in text or (file.startswith(SMALL) and "pytest.mark.long" not in text)
