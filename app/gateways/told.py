"""Which receipts were told already, where a provider's list says the same again and again. Bounded."""

from collections import OrderedDict
from collections.abc import Iterable

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt

MOST = 200_000
"""Messages that are remembered, some 30 MB. Who is forgotten is told again, which changes nothing."""


class Told:
    """By the provider's id of each message."""

    def __init__(self, most: int = MOST) -> None:
        self._states: OrderedDict[str, Delivery] = OrderedDict()
        self._most = most

    def is_new(self, receipt: Receipt) -> bool:
        """Whether it says something that was not told."""
        return self._states.get(receipt.provider_id) is not receipt.state

    def note(self, receipts: Iterable[Receipt]) -> None:
        """They are on record."""
        for each in receipts:
            self._states[each.provider_id] = each.state
            self._states.move_to_end(each.provider_id)
        while len(self._states) > self._most:
            self._states.popitem(last=False)
