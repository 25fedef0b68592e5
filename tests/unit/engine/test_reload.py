"""engine/process/reload.py and pool.py together: any life that slots may have, without a process."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.process.reload import Reloads, add_wish
from engine.process.slot import Child, Death, Failures, Slot
from engine.process.supervision import Kill, Promote, Retire, Spawn, Step, after_death, plan

TASK_WORKERS = [2, 3, 4]
ALL = [*TASK_WORKERS, 0, 1]
MAX_WAIT_S = 3.0


def test_a_wish_stands_for_those_that_it_covers() -> None:
    small, large, other = frozenset(TASK_WORKERS), frozenset(ALL), frozenset([0])

    assert add_wish([], small) == [small]
    assert add_wish([small], small) == [small]
    assert add_wish([large], small) == [large]
    assert add_wish([small], large) == [large]
    assert add_wish([small], other) == [small, other]


def test_a_reload_begins_with_a_clean_record() -> None:
    slots = [Slot(0, failures=Failures(5, at=0.0)), Slot(1, failures=Failures(5, at=0.0))]
    reloads = Reloads(slots, before=lambda: None, after=lambda: None)

    reloads.ask([1])
    reloads.advance()

    assert [slot.failures for slot in slots] == [Failures(5, at=0.0), None]


def test_a_reload_of_nobody_is_none(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    reloads = Reloads([Slot(0)], before=lambda: called.append("before"), after=lambda: called.append("after"))

    reloads.ask([])
    reloads.advance()

    assert called == []
    assert caplog.messages == ["there is nothing to reload"]


def is_served(slot: Slot) -> bool:
    """Its own child is ready."""
    return slot.own is not None and slot.own.is_current


class Lives(RuleBasedStateMachine):
    """What the manager does, with children that are only told what happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = [Slot(number) for number in ALL]
        self.now = 0.0
        self.born = 0
        self.started = False
        self.around: list[str] = []
        self.reloads = Reloads(self.slots, self.before, self.after)
        self.carry_out_plans()

    def before(self) -> None:
        self.around.append("before")
        self.asked_for = list(self.reloads._running)

    def after(self) -> None:
        self.around.append("after")
        assert all(is_served(slot) for slot in self.asked_for), "ended too early"

    # ── the manager ─────────────────────────────────────────────────────────────────────────────

    def carry_out_plans(self) -> None:
        for _ in range(100):
            self.started = self.started or all(is_served(slot) for slot in self.slots)
            if self.started:
                self.reloads.advance()
            steps = plan(self.slots, self.now)
            if not steps:
                return
            for step in steps:
                self.carry_out(step)
                self.check_successors()
        raise AssertionError("plans never come to an end")

    def carry_out(self, step: Step) -> None:
        slot = next(slot for slot in self.slots if slot.number == step.slot)
        sitting = slot.seats[step.seat]
        match step:
            case Spawn():
                assert sitting is None, "the seat is taken"
                self.born += 1
                slot.take(Child(slot.number, step.seat, slot.generation, self.born, None, self.now))
            case Promote():
                assert sitting
                assert sitting.is_ready
                slot.promote(step.seat)
            case Retire():
                assert sitting
                assert is_served(slot), "a reload left a slot without a ready child"
                assert sitting is not slot.own
                sitting.leave_by = self.now + MAX_WAIT_S
            case Kill():
                assert sitting
                assert sitting.leave_by is not None
                self.end(slot, sitting, killed_by=9)

    def end(self, slot: Slot, child: Child, exit_code: int = 0, killed_by: int = 0) -> None:
        death = Death(
            child, exit_code, killed_by, child is slot.successor, child is slot.own and slot.successor is not None
        )
        slot.vacate(child.seat)
        slot.failures = after_death(slot.failures, death, self.now)

    # ── what may happen ─────────────────────────────────────────────────────────────────────────

    def pick(self, data: st.DataObject) -> tuple[Slot, Child]:
        return data.draw(st.sampled_from([(slot, child) for slot in self.slots for child in slot.children]))

    def anybody(self) -> bool:
        return any(slot.children for slot in self.slots)

    @rule(data=st.data())
    @precondition(anybody)
    def becomes_ready(self, data: st.DataObject) -> None:
        _, child = self.pick(data)
        child.is_ready = True
        self.carry_out_plans()

    @rule()
    def all_become_ready(self) -> None:
        for slot in self.slots:
            for child in slot.children:
                child.is_ready = True
        self.carry_out_plans()

    @rule(data=st.data(), how=st.sampled_from([(0, 0), (3, 0), (0, 9)]))
    @precondition(anybody)
    def ends(self, data: st.DataObject, how: tuple[int, int]) -> None:
        self.end(*self.pick(data), *how)
        self.carry_out_plans()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 5.0, 40.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out_plans()

    @rule(numbers=st.sampled_from([ALL, TASK_WORKERS]))
    def reload_is_asked_for(self, numbers: list[int]) -> None:
        self.reloads.ask(numbers)
        self.carry_out_plans()

    # ── what must be ────────────────────────────────────────────────────────────────────────────

    @invariant()
    def check_successors(self) -> None:
        successors = [slot.successor for slot in self.slots if slot.successor]
        assert len(successors) <= 1, "a reload starts two at a time"

    @invariant()
    def nobody_has_a_successor_without_need(self) -> None:
        for slot in self.slots:
            assert not slot.successor or (slot.own and slot.own.generation < slot.generation)

    @invariant()
    def own_children_are_not_leaving(self) -> None:
        assert all(slot.own is None or slot.own.leave_by is None for slot in self.slots)

    @invariant()
    def reloads_do_not_overlap(self) -> None:
        assert self.around == [("before", "after")[place % 2] for place in range(len(self.around))]

    def teardown(self) -> None:
        """Once children become ready, and leave when told, every reload that was asked for ends."""
        for _ in range(40):
            self.now += 40.0
            self.all_become_ready()
        assert all(slot.is_renewed for slot in self.slots)
        assert not any(slot.other for slot in self.slots)
        assert self.around.count("before") == self.around.count("after")


TestLives = Lives.TestCase
