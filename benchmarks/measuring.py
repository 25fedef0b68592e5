"""Carries out a plan: steps in rounds, so that floors and measurements take turns."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.plan import MIDDLE, SMALL, Case, Form, Load
from benchmarks.processes import ROOT, Placement, Unavailable, run

QUEUE_BYTES = 64 * 2**20
"""The limit that memory is measured under: the default of task_queue_max_bytes."""
PAYLOADS_WAITING = (SMALL, MIDDLE)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement: the name its figures are kept under, and what is run."""

    key: Key
    function: str
    arguments: dict[str, Any]
    is_compiled: bool = False

    def __str__(self) -> str:
        return " ".join(map(str, self.key)).lower()


@dataclass(frozen=True, slots=True)
class Found:
    """What each step gave, round by round; or why it gave nothing."""

    figures: dict[Key, list[Any]] = field(default_factory=dict)
    reasons: dict[Key, str] = field(default_factory=dict)
    compiled: Path | Unavailable = field(default_factory=lambda: Unavailable("it was not asked for"))
    """Where the compiled copy is; why there is none."""

    def take(self, step: Step) -> None:
        """Do it and keep what it gives; what was not available once is not tried again."""
        if step.key in self.reasons:
            return
        try:
            self.figures.setdefault(step.key, []).append(run(step.function, self._root(step), **step.arguments))
        except Unavailable as why:
            self.reasons[step.key] = str(why)

    def _root(self, step: Step) -> Path:
        if not step.is_compiled:
            return ROOT
        if isinstance(self.compiled, Unavailable):
            raise self.compiled
        return self.compiled

    def median(self, key: Key, *path: int) -> float:
        return statistics.median(self._each(key, path))

    def ratio(self, key: Key, path: tuple[int, ...], base: Key, base_path: tuple[int, ...] = ()) -> float | None:
        """Median of each round's ratio; None when one of the two is not there."""
        if key not in self.figures or base not in self.figures:
            return None
        pairs = zip(self._each(key, path), self._each(base, base_path), strict=True)
        return statistics.median(mine / theirs if theirs else 0.0 for mine, theirs in pairs)

    def _each(self, key: Key, path: tuple[int, ...]) -> Iterator[float]:
        for found in self.figures[key]:
            value = found
            for index in path:
                value = value[index]
            yield value


def loads_at(form: Form, placement: Placement) -> tuple[Load, ...]:
    """Every load that some case has there, in order."""
    return tuple(dict.fromkeys(load for case in form.cases if case.placement is placement for load in case.loads))


def case_key(case: Case) -> Key:
    form = ("compiled",) if case.is_compiled else ()
    return case.mode.name, case.task_workers, str(case.placement), *form


def one_round(form: Form) -> Iterator[Step]:
    """The steps of each round."""
    seconds = form.seconds
    for placement in dict.fromkeys(case.placement for case in form.cases):
        common = {"loads": loads_at(form, placement), "seconds": seconds}
        yield Step(("floor", str(placement)), "benchmarks.floors:floor", {"placement": placement, **common})
        if placement is Placement.APART:
            yield Step(("Pool",), "benchmarks.floors:pool", common)
            yield Step(("ProcessPoolExecutor",), "benchmarks.floors:executor", common)
        for case in form.cases:
            if case.placement is placement:
                arguments = {"mode": case.mode, "task_workers": case.task_workers, "placement": placement}
                timing = {"loads": case.loads, "seconds": seconds}
                function = "benchmarks.roundtrips:measure"
                yield Step(case_key(case), function, arguments | timing, case.is_compiled)
    for server in ("floor", "engine"):
        for connections, in_flight in form.echoes:
            arguments = {"server": server, "connections": connections, "in_flight": in_flight, "seconds": seconds}
            yield Step(("echo", server, connections, in_flight), "benchmarks.clients:echo", arguments)
        yield Step(("connect", server), "benchmarks.clients:connect", {"server": server, "seconds": seconds})
    for reloads in (False, True):
        arguments = {"reloads": reloads, "seconds": seconds * 4}
        yield Step(("reload", reloads), "benchmarks.clients:reload_gap", arguments)


def once(form: Form) -> Iterator[Step]:
    """The steps whose figures do not depend on how busy the machine is."""
    for payload_bytes in PAYLOADS_WAITING:
        for server in ("floor", "engine"):
            arguments = {"payload_bytes": payload_bytes, "tasks": form.tasks_waiting, "limit_bytes": QUEUE_BYTES}
            yield Step(("memory", server, payload_bytes), f"benchmarks.memory:{server}", arguments)


def steps(form: Form) -> list[Step]:
    return [*(step for _ in range(form.rounds) for step in one_round(form)), *once(form)]
