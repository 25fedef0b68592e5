"""Decides which children to start, to promote, to retire and to kill, and when. Pure: values in, steps out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.process.slot import Death, Failures, Slot

QUICK_DEATH_S = 1.0
"""A child that lived shorter than this, or was never ready, died at its start."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a child in this seat, which is free."""

    slot: int
    seat: int


@dataclass(frozen=True, slots=True)
class Promote:
    """The child in this seat is ready and the slot's current one from now on."""

    slot: int
    seat: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell the child in this seat to leave; its successor is ready, or may not start before it is gone."""

    slot: int
    seat: int


@dataclass(frozen=True, slots=True)
class Kill:
    """The child in this seat was told to leave and did not in time."""

    slot: int
    seat: int


Step = Spawn | Promote | Retire | Kill


def plan(slots: Sequence[Slot], now: float) -> list[Step]:
    """Return the next steps towards a ready child of its slot's generation in every slot; ask again once they are done.

    A slot without a child gets one where the last one sat. A child of an old generation works on until its successor
    in the other seat is ready. One successor starts at a time, in the order of `slots`. One that cannot start holds
    up those behind it, which run well as they are; a seat that is not free yet holds up its own slot only.
    An exclusive slot is without a child from the end of the old one until the new one is ready.
    """
    steps = [step for slot in slots for step in _steps_of(slot, now)]
    if (slot := _next_to_renew(slots)) and _may_start(slot, now):
        steps.append(Spawn(slot.number, 1 - slot.home))
    return steps


def _steps_of(slot: Slot, now: float) -> Iterator[Step]:
    """Yield the steps of one slot, but for the start of a successor."""
    if slot.own is None:
        if _may_start(slot, now):
            yield Spawn(slot.number, slot.home)
    elif slot.successor and slot.successor.is_ready:
        yield Promote(slot.number, slot.successor.seat)
        yield Retire(slot.number, slot.home)
    elif slot.own.is_ready and not slot.own.is_current:
        yield Promote(slot.number, slot.home)
    elif slot.is_exclusive and _is_outdated(slot) and slot.own.is_current and slot.own.leave_by is None:
        yield Retire(slot.number, slot.home)
    for child in slot.children:
        if child.leave_by is not None and now >= child.leave_by:
            yield Kill(slot.number, child.seat)


def _next_to_renew(slots: Sequence[Slot]) -> Slot | None:
    if any(slot.successor for slot in slots):
        return None
    return next((slot for slot in slots if _waits_for_successor(slot)), None)


def _waits_for_successor(slot: Slot) -> bool:
    return not slot.is_exclusive and _is_outdated(slot) and slot.other is None


def _is_outdated(slot: Slot) -> bool:
    return slot.own is not None and slot.own.generation < slot.generation


def _may_start(slot: Slot, now: float) -> bool:
    return slot.failures is None or now >= slot.failures.retry_at


def next_look(slots: Sequence[Slot]) -> float | None:
    """Return when `plan` will have new steps although nothing happened (monotonic), None for never. Ask when it has no
    more steps."""
    times = [child.leave_by for slot in slots for child in slot.children if child.leave_by is not None]
    waiting = [slot for slot in slots if slot.own is None]
    if slot := _next_to_renew(slots):
        waiting.append(slot)
    times += [slot.failures.retry_at for slot in waiting if slot.failures]
    return min((at for at in times if at < float("inf")), default=None)


def after_death(before: Failures | None, death: Death, now: float, *, is_exclusive: bool = False) -> Failures | None:
    """Return a slot's failures once this child is gone; None when it had begun its work in good order.

    One that was told to leave says nothing about its slot. One that leaves by itself may do so soon: it is replaced
    at once, as it wished, unless it is alone in its slot, and has no work that it could have done. So is one that died
    with a task in hand, however soon: the task waits for who follows, and it has its own limit of attempts.
    """
    if death.was_told:
        return before
    lived_s = now - death.child.started_at
    began_well = death.child.is_ready and not death.was_successor and (lived_s >= QUICK_DEATH_S or death.was_at_work)
    was_wished = death.was_in_order and not is_exclusive
    return None if began_well or was_wished else one_more(before, now)


def one_more(before: Failures | None, now: float) -> Failures:
    """Return the failures with one more."""
    return Failures((before.count if before else 0) + 1, now)
