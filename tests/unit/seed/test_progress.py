"""The lines that stand for a bar where there is no terminal."""

from seed.progress import Lines


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_says_how_far_how_fast_and_how_long_still():
    said: list[str] = []
    clock = Clock()
    lines = Lines(2_000_000, said.append, clock)

    lines(0)
    clock.now += 4.0
    lines(500_000)

    assert said == ["500,000 of 2,000,000 customers, 125,000 rows/s, 12 s left"]


def test_there_is_at_most_one_line_a_second():
    said: list[str] = []
    clock = Clock()
    lines = Lines(100, said.append, clock)

    for done in range(31):
        lines(done)
        clock.now += 0.1

    assert 2 <= len(said) <= 3
