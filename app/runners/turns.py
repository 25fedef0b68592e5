"""Orders that wait for a task, and whose turn it is: campaigns come in turn, and few orders are out at a time. Pure."""

from collections import Counter, deque
from collections.abc import Collection, Iterable
from typing import Generic, Protocol, TypeVar


class _OfCampaign(Protocol):
    @property
    def campaign_id(self) -> int: ...


Order = TypeVar("Order", bound=_OfCampaign)


class Turns(Generic[Order]):
    """At most two orders for each of the `task_workers` are out: one that it is at, and one in reserve, so that it has
    the next one at once. The others wait here, where a campaign that comes later need not wait behind them.

    A campaign whose tasks take a whole slice needs no reserve, for to give an order out takes milliseconds. With such
    campaigns no more orders are out than there are task workers, so that a later one waits for the end of a slice and
    not of two.
    """

    def __init__(self, task_workers: int) -> None:
        self.task_workers = task_workers
        """How many there are now."""
        self._waiting: dict[int, deque[Order]] = {}
        """By campaign."""
        self._had_turn_at: dict[int, int] = {}
        """The last turn of each campaign, counted from 1."""
        self._count = 0
        self._slow: set[int] = set()

    def renew(self, orders: Iterable[Order], out: Collection[Order]) -> None:
        """These are all that wait, the first of each campaign first. What is forgotten of a campaign that has none here
        and none `out` is not worth much."""
        self._waiting = {}
        for each in orders:
            self._waiting.setdefault(each.campaign_id, deque()).append(each)
        there = self._waiting.keys() | {each.campaign_id for each in out}
        self._had_turn_at = {each: turn for each, turn in self._had_turn_at.items() if each in there}
        self._slow &= there

    def put_back(self, order: Order) -> None:
        """It took a whole slice, and is not done. It goes before the others of its campaign."""
        self._slow.add(order.campaign_id)
        self._waiting.setdefault(order.campaign_id, deque()).appendleft(order)

    def take(self, out: Collection[Order]) -> Order | None:
        """The order that is to go out now, beside those that are `out`; None: the others wait.

        The campaign with the fewest orders out comes first, among equals the one whose turn was longest ago, then the
        oldest.
        """
        room = 2 * self.task_workers - len(out)
        if room <= 0:
            return None
        held = Counter(each.campaign_id for each in out)
        may = [each for each in self._waiting if room > self.task_workers or each not in self._slow]
        if not may:
            return None
        chosen = min(may, key=lambda each: (held[each], self._had_turn_at.get(each, 0), each))
        self._count += 1
        self._had_turn_at[chosen] = self._count
        orders = self._waiting[chosen]
        order = orders.popleft()
        if not orders:
            del self._waiting[chosen]
        return order
