"""Signs of life by time: as often as is due, whatever the work itself is waiting for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from sqlalchemy.exc import SQLAlchemyError


@contextmanager
def renewing(renew: Callable[[], object], every_s: float) -> Iterator[None]:
    """Call it so often, in a thread of its own, as long as the `with` lasts. While the database is away a lease comes
    nearer to its end, and the next call may yet be in time."""
    over = Event()

    def run() -> None:
        while not over.wait(every_s):
            with suppress(SQLAlchemyError):
                renew()

    thread = Thread(target=run, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
