"""What one process of all hosts does at a time: whose turn it is stands in the database, by its clock."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.errors import LogUnusable, ShardTaken
from app.gateways.log_file.folder import locked_file, owner_of
from app.sending.renewing import renewing
from app.store import leases
from app.store.accounts import new_holder
from app.store.clock import lease_s
from app.store.faults import reason, write

log = logging.getLogger(__name__)

MARGIN_S = 1.0
"""So much before the end of a lease its holder stops by itself: clocks may run at different speeds."""


def boot_time() -> float:
    """Seconds, on a clock that also runs while the machine sleeps, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The lease `name`, for `holder`, who may have it at once from those whose names begin with `heir_of`."""

    def __init__(
        self, database: Engine, name: str, holder: str, clock: Callable[[], float] = boot_time, heir_of: str = ""
    ) -> None:
        self._database = database
        self._of = (name, holder)
        self._heir_of = heir_of
        self._clock = clock
        self._lasts_s = lease_s(database)
        self._deadline = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether nobody else can have it yet, as far as can be told without the database."""
        return self._clock() < self._deadline

    @property
    def is_due(self) -> bool:
        """Whether it is time to show a sign of life."""
        return self._clock() >= self._deadline - self._lasts_s * 2 / 3 + MARGIN_S

    def take(self) -> bool:
        """Have it, or go on having it; whether that is so. Raises what the database raises."""
        asked_at = self._clock()  # before the statement: the database counts from when it arrives
        done = write(self._database, lambda connection: leases.take(connection, *self._of, self._heir_of))
        self._deadline = asked_at + self._lasts_s - MARGIN_S if done else 0.0
        return done

    def renew(self) -> None:
        """Show a sign of life. Raises what the database raises."""
        asked_at = self._clock()
        if write(self._database, lambda connection: leases.renew(connection, *self._of)):
            self._deadline = asked_at + self._lasts_s - MARGIN_S
        else:
            self._deadline = 0.0

    def give_back(self) -> None:
        """Have it no more. Raises what the database raises."""
        self._deadline = 0.0
        write(self._database, lambda connection: leases.give_back(connection, *self._of))


@contextmanager
def leased(database: Engine, name: str, log_dir: Path) -> Iterator[Lease]:
    """Have it as long as the `with` lasts. Raises ShardTaken where somebody else has it, be it another task of ours.

    Each task is a holder of its own, or one that an order reached twice would give back what the first one has. Among
    those who share a folder of logs the kernel knows who lives: who has its lock there is the heir of all before, and
    need not wait for the lease of one that was killed.
    """
    with _alone(log_dir, name) as folder:
        holder = f"{folder}{secrets.token_hex(6)}" if folder else new_holder()
        lease = Lease(database, name, holder, heir_of=folder)
        if not lease.take():
            raise ShardTaken("shard_taken.leased", name=name)
        try:
            with renewing(lease.renew, lease_s(database) / 3):
                yield lease
        finally:
            try:
                lease.give_back()
            except SQLAlchemyError as error:
                facts = {"lease": name, "error": reason(error)}
                log.warning("lease was not given back, it ends by itself", extra=facts)


@contextmanager
def _alone(log_dir: Path, name: str) -> Iterator[str]:
    """With what the names of all holders begin that had this lock; nobody else has it now. '' where there is no lock to
    be had, as without a folder of logs, on a full disk. Raises ShardTaken."""
    with ExitStack() as stack:
        try:
            owner = owner_of(log_dir)
            is_ours = stack.enter_context(locked_file(log_dir / f".{name.replace(' ', '-')}.lock")) if owner else True
        except (OSError, LogUnusable):
            owner, is_ours = "", True
        if not is_ours:
            raise ShardTaken("shard_taken.leased", name=name)
        yield f"{owner}:" if owner else ""
