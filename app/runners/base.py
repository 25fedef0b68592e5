"""What the scheduler asks of who carries orders to workers, be they of this machine or of many."""

from typing import Protocol

from app.runners.orders import Order


class Runner(Protocol):
    """Carries an order, and knows nothing of what is in it. What becomes of it the scheduler hears as a report or an
    error, or not at all: an order is a hint, and what is so stands in the database."""

    def post(self, order: Order) -> None:
        """Have some worker carry it out. It does not wait for that."""

    def close(self) -> None:
        """Nothing more is carried."""
