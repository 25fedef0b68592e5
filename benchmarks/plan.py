"""What is measured, in the short form, the long one, and the one that only shows that it works."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from benchmarks.processes import Placement
from engine import IpcMode

Load = tuple[int, int]
"""Payload bytes, tasks outstanding."""

SMALL, MIDDLE, LARGE = 100, 4096, 10_000_000
QUICK_LOADS: tuple[Load, ...] = ((SMALL, 1), (SMALL, 16), (SMALL, 64))
_ALL_LOADS = tuple(product((SMALL, MIDDLE, LARGE), (1, 16, 64)))


@dataclass(frozen=True, slots=True)
class Case:
    """A server to measure, and the loads it gets."""

    mode: IpcMode
    task_workers: int
    placement: Placement
    loads: tuple[Load, ...]
    is_compiled: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How much of everything: rounds of so many seconds each, medians over the rounds."""

    rounds: int
    seconds: float
    cases: tuple[Case, ...]
    echoes: tuple[tuple[int, int], ...]
    """Connections, frames in flight on each."""
    tasks_waiting: int


def _cases(loads: tuple[Load, ...], few: tuple[Load, ...], modes: tuple[IpcMode, ...]) -> tuple[Case, ...]:
    """All loads for one task worker in every mode, a core each; `few` for the other ways to place and share, four task
    workers beside one in every mode; small ones for the compiled form and for both workers on one core."""
    return (
        *(Case(mode, 1, Placement.APART, loads) for mode in modes),
        *_compiled(modes, Placement.APART),
        *(Case(mode, 1, Placement.TOGETHER, QUICK_LOADS) for mode in modes[:1]),
        *_compiled(modes, Placement.TOGETHER),
        *(Case(mode, workers, Placement.FREE, few) for mode in modes for workers in (1, 4)),
    )


def _compiled(modes: tuple[IpcMode, ...], placement: Placement) -> Iterator[Case]:
    for mode in modes[:1]:
        yield Case(mode, 1, placement, QUICK_LOADS, is_compiled=True)


_SHORT_LOADS = ((SMALL, 1), (SMALL, 16), (SMALL, 64), (MIDDLE, 16), (LARGE, 1))


def short(modes: tuple[IpcMode, ...]) -> Form:
    cases = _cases(_SHORT_LOADS, ((SMALL, 1), (SMALL, 64)), modes)
    return Form(rounds=4, seconds=0.12, cases=cases, echoes=((64, 1), (8, 16)), tasks_waiting=100_000)


def full(modes: tuple[IpcMode, ...]) -> Form:
    """Every combination of mode, workers, payload and number outstanding, and every placement that makes sense."""
    cases = (
        *(Case(mode, 1, place, _ALL_LOADS) for mode in modes for place in (Placement.APART, Placement.TOGETHER)),
        *(Case(mode, workers, Placement.FREE, _ALL_LOADS) for mode in modes for workers in (1, 2, 4)),
        *(case for place in (Placement.APART, Placement.TOGETHER) for case in _compiled(modes, place)),
    )
    return Form(rounds=5, seconds=0.5, cases=cases, echoes=((1, 1), (64, 1), (8, 16)), tasks_waiting=100_000)


def smoke(modes: tuple[IpcMode, ...]) -> Form:
    cases = tuple(Case(mode, 1, Placement.APART, ((SMALL, 1), (LARGE, 1))) for mode in modes[:1])
    return Form(rounds=1, seconds=0.02, cases=cases, echoes=((1, 1),), tasks_waiting=100)
