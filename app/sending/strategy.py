"""What a way of sending a shard offers to who ordered it; which one a shard needs is told by its gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine

from app.domain.orders import Outcome, Rejected, ShardOrder
from app.store import rejects
from app.store.shards import Shard


@dataclass(frozen=True, slots=True)
class Slice:
    """For how long a task sends at a stretch, what ends it before, and whom it tells."""

    slice_s: float
    should_stop: Callable[[], bool]
    on_progress: Callable[[], None]
    on_rejected: Callable[[Rejected], None]

    def tell_rejected(self, database: Engine, shard: Shard) -> None:
        """The shard is done: how many of it were not greeted, where there are some."""
        with database.connect() as connection:
            counts = rejects.count(connection, shard.campaign_id, shard.number, shard.after_id, shard.to_id)
        if counts:
            self.on_rejected(Rejected(ShardOrder(shard.campaign_id, shard.number), counts))


class Strategy(Protocol):
    """One shard of one campaign. To make one raises ShardTaken while another process has it, and LogUnusable."""

    def claim(self) -> Shard:
        """Make the shard ours. Raises ShardTaken where somebody else has it, or it is not to be sent."""

    def send(self, shard: Shard) -> Outcome:
        """Take the shard, which is claimed, up where its record says, and send on to the end of the slice or of the
        shard. Raises LeaseLost once the shard is not ours any more, or not to be sent; LogDamaged, LogUnusable, and
        what the database raises."""

    def let_go(self) -> bool:
        """Leave the shard of a halted campaign exactly as its record says, with nobody at it. Whether its campaign is
        halted, or its gateway drained; while it runs, nothing is changed."""

    def close(self) -> None:
        """From here on another process may have the shard."""
