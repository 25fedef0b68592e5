"""A campaign's rate over time, as a drawing and as a table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

MOST_POINTS = 300
TABLE_ROWS = 24
WIDTH, HEIGHT, LEFT, BOTTOM = 600, 120, 56, 18


@dataclass(frozen=True, slots=True)
class Step:
    """From one moment to the next (Unix time) so many messages a second were sent."""

    from_s: float
    to_s: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Steps, oldest first."""

    steps: list[Step]

    @property
    def most(self) -> float:
        """The highest."""
        return max((each.per_s for each in self.steps), default=0.0)

    @property
    def rows(self) -> list[Step]:
        """As many as a table has room for."""
        return _fewer(self.steps, TABLE_ROWS)


def chart_of(points: Sequence[tuple[float, int]]) -> Chart | None:
    """Of moments, rising, and what was sent by then; None where there are not two."""
    steps = [
        Step(before[0], now[0], max(0, now[1] - before[1]) / (now[0] - before[0]))
        for before, now in pairwise(points)
        if now[0] > before[0]
    ]
    return Chart(_fewer(steps, MOST_POINTS)) if steps else None


def _fewer(steps: list[Step], most: int) -> list[Step]:
    """At most so many, each in place of as many others: what was sent stays the same."""
    size = -(-len(steps) // most)
    return [_joined(steps[at : at + size]) for at in range(0, len(steps), size)] if size > 1 else steps


def _joined(steps: list[Step]) -> Step:
    first, last = steps[0], steps[-1]
    sent = sum(each.per_s * (each.to_s - each.from_s) for each in steps)
    return Step(first.from_s, last.to_s, sent / (last.to_s - first.from_s))


def svg(chart: Chart) -> str:
    """The drawing; its colours are those of the style sheet, and its words stand beside it."""
    begin, end = chart.steps[0].from_s, chart.steps[-1].to_s
    top = chart.most or 1.0

    def x(at_s: float) -> float:
        return LEFT + (at_s - begin) / (end - begin) * (WIDTH - LEFT)

    def y(per_s: float) -> float:
        return 6 + (1 - per_s / top) * (HEIGHT - BOTTOM - 6)

    ground = HEIGHT - BOTTOM
    corners = " ".join(f"{x(at):.1f},{y(each.per_s):.1f}" for each in chart.steps for at in (each.from_s, each.to_s))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">'
        f'<line class="axis" x1="{LEFT}" y1="{ground}" x2="{WIDTH}" y2="{ground}"/>'
        f'<polygon class="area" points="{x(begin):.1f},{ground} {corners} {x(end):.1f},{ground}"/>'
        f'<polyline class="line" points="{corners}"/>'
        f'<text x="{LEFT - 6}" y="14" text-anchor="end">{top:,.0f}/s</text>'
        f'<text x="{LEFT - 6}" y="{ground}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{clock(begin)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{clock(end)}</text></svg>'
    )


def clock(at_s: float) -> str:
    """The time of day, UTC."""
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S}"
