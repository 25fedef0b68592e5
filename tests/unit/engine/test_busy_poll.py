"""A wait is looked through where what comes next comes soon, and slept through elsewhere."""

from collections.abc import Iterator

from engine.process.busy_poll import BusyPoll

LOOK_NS = 1_000
SOON, NEVER = 20, 10**9
"""After how many looks the next thing comes."""


class Machine:
    """A clock that goes on with each look; a yield takes as long as others are at work on the same core."""

    def __init__(self, *, is_allowed: bool = True) -> None:
        self.now_ns = 0
        self.others_take_ns = 0
        self.busy_poll = BusyPoll(is_allowed, lambda: self.now_ns, self._yield_core)

    def _yield_core(self) -> None:
        self.now_ns += LOOK_NS + self.others_take_ns

    def looks(self, comes_after: int) -> int:
        """How often is looked in a wait before it comes, or before it is slept for."""
        self.busy_poll.begin()
        count = 0
        while count < comes_after and self.busy_poll.goes_on():
            count += 1
        return count

    def slept_between_looks(self, comes_after: int) -> Iterator[int]:
        """How many waits in a row are slept through, each time."""
        while True:
            slept = 0
            while not self.looks(comes_after):
                slept += 1
            yield slept


def test_what_comes_soon_is_waited_for_awake() -> None:
    machine = Machine()

    assert [machine.looks(SOON) for _ in range(100)] == [SOON] * 100


def test_nobody_looks_for_longer_than_it_costs_to_sleep() -> None:
    machine = Machine()

    machine.looks(NEVER)

    assert 150_000 <= machine.now_ns <= 250_000


def test_where_nothing_comes_ever_more_waits_are_slept_through() -> None:
    machine = Machine()
    machine.looks(NEVER)

    slept = machine.slept_between_looks(NEVER)

    assert [next(slept) for _ in range(12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]


def test_a_wait_that_ends_well_is_followed_by_looking_again() -> None:
    machine = Machine()
    machine.looks(NEVER)
    slept = machine.slept_between_looks(NEVER)
    assert [next(slept) for _ in range(4)] == [1, 2, 4, 8]

    while not machine.looks(SOON):
        pass
    machine.looks(SOON)
    machine.looks(NEVER)

    assert next(slept) == 1


def test_where_nothing_is_waited_for_nobody_looks_and_that_counts_as_no_wait_in_vain() -> None:
    machine = Machine()
    machine.looks(SOON)

    machine.busy_poll.end()

    assert not machine.busy_poll.goes_on()
    assert machine.looks(SOON) == SOON


def test_a_core_that_others_want_is_left_to_them() -> None:
    machine = Machine()
    machine.others_take_ns = 50_000

    looks = [machine.looks(SOON) for _ in range(4)]

    assert looks == [0] * 4
    assert machine.now_ns == 2 * (LOOK_NS + 50_000), "tried in the first wait and in the third"


def test_where_cpu_time_is_rationed_every_wait_is_slept_through() -> None:
    machine = Machine(is_allowed=False)

    assert [machine.looks(SOON) for _ in range(5)] == [0] * 5


def test_before_a_wait_began_nobody_looks() -> None:
    assert not Machine().busy_poll.goes_on()
