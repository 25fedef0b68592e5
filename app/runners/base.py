"""What the scheduler asks of who carries orders to workers, be they of this machine or of many."""

from typing import Protocol

from app.campaigns.leased import Lease
from app.runners.orders import Order

ANY_FOLDER = "any"
"""In place of the name of a folder of logs, for an order that any worker with one can carry out."""


class Runner(Protocol):
    """Carries an order, and knows nothing of what is in it. What becomes of it the scheduler hears as a report or an
    error, or not at all: an order is a hint, and what is so stands in the database."""

    def post(self, order: Order) -> None:
        """Have some worker carry it out. It does not wait for that."""

    def close(self) -> None:
        """Nothing more is carried."""


class Fleet(Protocol):
    """Workers that a scheduler shares with others, of which one at a time gives out the orders."""

    @property
    def lease(self) -> Lease:
        """Who has it gives them out."""

    def places(self) -> int:
        """How many orders all workers can carry out at once. Raises what the database raises."""

    def reports(self) -> list[str]:
        """What they reported since the last call. Raises what the database raises."""
