"""Turns what was found into tables, and holds it against what was promised."""

from collections.abc import Iterator

from benchmarks.measuring import PAYLOADS_WAITING, QUEUE_BYTES, Found, Key, case_key, loads_at
from benchmarks.plan import LARGE, QUICK_LOADS, SMALL, Form, Load
from benchmarks.processes import Placement, Unavailable
from benchmarks.results import Section, count, ratio, size
from engine import IpcMode

COSTS = "What a task costs"
_COST_PLACES = (Placement.TOGETHER, Placement.APART)
HOW = """\
Medians of {rounds} rounds of {seconds:g} s windows; a ratio is the median of each round's ratio. Floor of a round
trip: two processes of plain Python, one datagram each way for a task over a unix socket pair, as many in flight; above
1 MB a file of that size written, read and removed. The workers, the floor's included, return the payload's length.
Placement: event worker and task worker on a core each, or both on one, or where the kernel likes; the floor's two
processes likewise. Left to the kernel the floor alone differs sixfold between runs, as both share a core or not."""


def how(form: Form, found: Found) -> str:
    told = HOW.format(rounds=form.rounds, seconds=form.seconds)
    if isinstance(found.compiled, Unavailable):
        return f"{told}\nNothing of the compiled form: {found.compiled}."
    return f"{told}\nCompiled: the same sources through mypyc, built for this run, with `ENGINE_COMPILE=1`."


def sections(form: Form, found: Found) -> list[Section]:
    return [
        targets(form, found),
        costs(form, found),
        round_trips(form, found),
        rivals(form, found),
        clients(form, found),
        memory(found),
    ]


def costs(form: Form, found: Found) -> Section:
    """The first mode, one task worker."""
    section = Section(
        COSTS,
        "CPU time of the event worker and of the task worker, µs a task of 100 bytes, `task` to callback, with the "
        "kernel's. With a core each both look for what comes next before they sleep, and that counts.",
        ("", "outstanding", *(f"{who}, {place}" for place in _COST_PLACES for who in ("event worker", "task worker"))),
    )
    for is_compiled in (False, True):
        for load in QUICK_LOADS:
            cells: list[str] = []
            for place in _COST_PLACES:
                at = _at(form, form.cases[0].mode, place, load, is_compiled=is_compiled)
                if at is None or at[0] in found.reasons:
                    cells += ["", ""]
                else:
                    key, (number, _) = at
                    cells += [f"{found.median(key, number, which):.1f}" for which in (3, 4)]
            if any(cells):
                section.rows.append(("compiled" if is_compiled else "plain Python", str(load[1]), *cells))
    return section


def round_trips(form: Form, found: Found) -> Section:
    section = Section(
        "Task round trips",
        "From `server.task(data, finish_callback=…)` to the callback, in the event worker; p50 and p99 in µs.",
        ("ipc mode", "task workers", "placement", "payload", "outstanding", "a second", "× floor", "p50", "p99"),
    )
    for case in form.cases:
        key, floor = case_key(case), ("floor", str(case.placement))
        mode = f"{case.mode.value} {case.mode.name}" + (", compiled" if case.is_compiled else "")
        server = (mode, str(case.task_workers), str(case.placement))
        if reason := found.reasons.get(key):
            section.rows.append((*server, "", "", f"not available: {reason}", "", "", ""))
            continue
        places = loads_at(form, case.placement)
        for at, load in enumerate(case.loads):
            rate, p50, p99 = (found.median(key, at, which) for which in range(3))
            compared = ratio(found.ratio(key, (at, 0), floor, (places.index(load),)))
            section.rows.append(
                (*server, size(load[0]), str(load[1]), count(rate), compared, f"{p50:,.0f}", f"{p99:,.0f}")
            )
    return section


def rivals(form: Form, found: Found) -> Section:
    """The first mode beside the standard library, one worker, a core each."""
    section = Section(
        "Beside the standard library",
        "Round trips a second, one worker, a core each; × is the engine's rate by theirs, plain and compiled.",
        (
            *("payload", "outstanding", "engine", "compiled", "floor"),
            *("Pool.apply_async", "×", "× compiled", "ProcessPoolExecutor", "×", "× compiled"),
        ),
    )
    case = form.cases[0]
    floor = ("floor", str(case.placement))
    if case_key(case) in found.reasons:
        return section
    for at, load in enumerate(case.loads):
        compiled = _at(form, case.mode, case.placement, load, is_compiled=True)
        if compiled and compiled[0] not in found.figures:
            compiled = None
        cells = [count(found.median(case_key(case), at, 0))]
        cells += [count(found.median(compiled[0], *compiled[1])) if compiled else "", count(found.median(floor, at))]
        for rival in (("Pool",), ("ProcessPoolExecutor",)):
            cells += [count(found.median(rival, at)), ratio(found.ratio(case_key(case), (at, 0), rival, (at,)))]
            cells += [ratio(found.ratio(*compiled, rival, (at,)) if compiled else None)]
        section.rows.append((size(load[0]), str(load[1]), *cells))
    return section


def clients(form: Form, found: Found) -> Section:
    section = Section(
        "Clients",
        "One event worker, frames of 104 bytes; the floor is a uvloop protocol that gives back what comes, uncut. "
        "Reload: every request has a connection of its own; the floor is the same server left alone.",
        ("", "engine", "floor", "× floor"),
    )

    def row(title: str, mine: Key, floor: Key) -> None:
        cells = (count(found.median(mine)), count(found.median(floor)), ratio(found.ratio(mine, (), floor)))
        section.rows.append((title, *cells))

    for connections, in_flight in form.echoes:
        at_once = f"{connections} connections, {in_flight} in flight each"
        row(
            f"echo a second, {at_once}",
            ("echo", "engine", connections, in_flight),
            ("echo", "floor", connections, in_flight),
        )
    row("connections a second", ("connect", "engine"), ("connect", "floor"))
    if reason := found.reasons.get(("reload", True)):
        section.rows.append(("longest time without an answer", f"not available: {reason}", "", ""))
    else:
        gap, still, failed = (
            found.median(("reload", reloads), which) for reloads, which in ((True, 0), (False, 0), (True, 1))
        )
        section.rows.append(
            ("longest time without an answer, reload", f"{gap:.1f} ms", f"{still:.1f} ms", ratio(gap / still))
        )
        section.rows.append(("requests without an answer, reload", count(failed), "", ""))
    return section


def memory(found: Found) -> Section:
    section = Section(
        "Memory with tasks waiting",
        f"PSS of the event worker above what it was before, task_queue_max_bytes {QUEUE_BYTES // 2**20} MiB; "
        "the floor is a deque of as many payloads.",
        ("payload", "tasks taken", "engine", "floor's tasks", "floor", "× floor, a task"),
    )
    for payload_bytes in PAYLOADS_WAITING:
        mine, floor = (found.figures[("memory", server, payload_bytes)][0] for server in ("engine", "floor"))
        compared = ratio((mine[1] / mine[0]) / (floor[1] / floor[0]) if mine[0] and floor[1] else None)
        cells = (f"{mine[0]:,}", _mib(mine[1]), f"{floor[0]:,}", _mib(floor[1]), compared)
        section.rows.append((size(payload_bytes), *cells))
    return section


def _mib(bytes_: int) -> str:
    return f"{bytes_ / 2**20:.1f} MiB"


# ── what was promised ───────────────────────────────────────────────────────────────────────────


def targets(form: Form, found: Found) -> Section:
    section = Section(
        "Targets", "100 bytes, one task worker, mode 1 where nothing else is said.", ("", "target", "found", "")
    )
    for title, least, value in _promises(form, found):
        met = "not measured" if value is None else "met" if value >= least else "missed"
        section.rows.append((title, f"≥ {least:g} ×", ratio(value), met))
    for payload_bytes in PAYLOADS_WAITING:
        taken, more = found.figures[("memory", "engine", payload_bytes)][0]
        met = "met" if more <= QUEUE_BYTES else "missed"
        section.rows.append(
            (f"memory, {taken:,} tasks of {size(payload_bytes)} waiting", f"≤ {_mib(QUEUE_BYTES)}", _mib(more), met)
        )
    return section


def _promises(form: Form, found: Found) -> Iterator[tuple[str, float, float | None]]:
    """Each promise with its least ratio and what was found."""
    for outstanding, least in ((64, 0.45), (16, 0.3), (1, 0.5)):
        value = _to_floor(form, found, Placement.APART, (SMALL, outstanding))
        yield f"{outstanding} outstanding, a core each: to the floor", least, value
    value = _to_floor(form, found, Placement.APART, (SMALL, 64), is_compiled=True)
    yield "64 outstanding, a core each, compiled: to the floor", 0.65, value
    mine = _at(form, IpcMode.SOCKET, Placement.APART, (SMALL, 64), is_compiled=True)
    pool = loads_at(form, Placement.APART).index((SMALL, 64)) if mine else 0
    yield "64 outstanding, compiled: to Pool.apply_async", 10, found.ratio(*mine, ("Pool",), (pool,)) if mine else None
    for mode in dict.fromkeys(case.mode for case in form.cases):
        four, one = (_at(form, mode, Placement.FREE, (SMALL, 64), workers) for workers in (4, 1))
        value = found.ratio(*four, *one) if four and one else None
        yield f"mode {mode.value}, 64 outstanding: four task workers to one", 0.8, value
    first, second = (_at(form, mode, Placement.APART, (SMALL, 64)) for mode in (IpcMode.SOCKET, IpcMode.QUEUE))
    yield "mode 2 to mode 1, 64 outstanding", 0.5, found.ratio(*second, *first) if first and second else None
    yield "10 MB, 1 outstanding: to the file floor", 0.5, _to_floor(form, found, Placement.APART, (LARGE, 1))


def _to_floor(form: Form, found: Found, placement: Placement, load: Load, *, is_compiled: bool = False) -> float | None:
    if (mine := _at(form, IpcMode.SOCKET, placement, load, is_compiled=is_compiled)) is None:
        return None
    return found.ratio(*mine, ("floor", str(placement)), (loads_at(form, placement).index(load),))


def _at(
    form: Form, mode: IpcMode, placement: Placement, load: Load, task_workers: int = 1, *, is_compiled: bool = False
) -> tuple[Key, tuple[int, ...]] | None:
    """Where the rate under this load is kept; None when it is not in the plan."""
    wanted = mode, task_workers, placement, is_compiled
    for case in form.cases:
        if (case.mode, case.task_workers, case.placement, case.is_compiled) == wanted and load in case.loads:
            return case_key(case), (case.loads.index(load), 0)
    return None
