"""What the fuzzer found interesting goes through without it, too."""

import pytest

from tests.fuzz.__main__ import CORPUS
from tests.fuzz.smpp import look_at

FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("part", range(8))
def test_what_a_fuzzer_found_breaks_nothing(part: int) -> None:
    for file in FILES[part::8]:
        look_at(file.read_bytes())


def test_there_is_a_corpus() -> None:
    assert len(FILES) > 50
