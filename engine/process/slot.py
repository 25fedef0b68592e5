"""The slot of a worker id, with the two seats that its children take in turn."""

from dataclasses import dataclass, field

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0


@dataclass(slots=True)
class Child:
    """A living child of the manager."""

    slot: int
    seat: int
    generation: int
    """How many reloads its slot had seen when it was started."""
    pid: int
    ready_fd: int | None
    """Readable when it is ready, or gone; then it is closed: None."""
    started_at: float
    """time.monotonic, seconds."""
    is_ready: bool = False
    is_current: bool = False
    """It is ready, and was announced as the current child of its slot."""
    leave_by: float | None = None
    """It was told to leave, and is killed at this time (monotonic; infinity for never). None: it was not told."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended, and what it was to its slot."""

    child: Child
    exit_code: int
    killed_by: int
    """The signal, or 0."""
    was_successor: bool
    """Another child served the slot, and does so still."""
    has_successor: bool
    """It was the slot's own, and its successor is starting."""
    was_at_work: bool = False
    """It had a task in hand, which is likely what ended it."""

    @property
    def was_told(self) -> bool:
        """Whether the manager had told it to leave."""
        return self.child.leave_by is not None

    @property
    def was_in_order(self) -> bool:
        """Whether it had begun its work, and left by itself without an error."""
        return self.child.is_ready and not self.was_successor and not self.exit_code and not self.killed_by


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a slot's child died at its start, and when the last one did (monotonic seconds)."""

    count: int
    at: float

    @property
    def delay_s(self) -> float:
        """How long to wait before the next start, seconds: 0 after the first death, then 1, 2, 4 … 30."""
        # a slot may fail for weeks, and 2**1024 is no float any more
        doublings = min(self.count - 2, 5)
        return 0.0 if self.count < 2 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**doublings)

    @property
    def retry_at(self) -> float:
        return self.at + self.delay_s


@dataclass(slots=True)
class Slot:
    """Two seats. One is home to the slot's own child; in the other one sits its successor while that is starting, or
    a child of a former generation that was told to leave, or nobody. Nobody at home means no successor either."""

    number: int
    is_exclusive: bool = False
    """It never has two children at once: a successor starts when the one before is gone."""
    home: int = 0
    """The seat of its own child; while it has none, the seat where the next one is started."""
    seats: list[Child | None] = field(default_factory=lambda: [None, None])
    generation: int = 0
    """A child of an earlier one is to be replaced."""
    failures: Failures | None = None
    was_ready: bool = False
    """Whether one of its children ever was."""

    @property
    def children(self) -> list[Child]:
        return [child for child in self.seats if child]

    @property
    def own(self) -> Child | None:
        return self.seats[self.home]

    @property
    def other(self) -> Child | None:
        return self.seats[1 - self.home]

    @property
    def successor(self) -> Child | None:
        """The child that is starting to take the place of `own`."""
        return self.other if self.other and self.other.leave_by is None else None

    @property
    def is_renewed(self) -> bool:
        """Whether nothing is left to do for a reload, but for an old child that may still be leaving."""
        return self.own is not None and self.own.is_current and self.own.generation == self.generation

    def take(self, child: Child) -> None:
        """Note that a child was started in its seat."""
        self.seats[child.seat] = child

    def promote(self, seat: int) -> None:
        """Make the child in this seat, which is ready, the slot's own."""
        self.home = seat
        if child := self.own:
            child.is_current = True

    def vacate(self, seat: int) -> None:
        """Note that the child in this seat is gone. When it was the slot's own, the successor that is starting takes
        its place, and nothing is started here."""
        self.seats[seat] = None
        if seat == self.home and self.successor:
            self.home = 1 - seat
