"""How far a shard got, as it is told to those who watch."""

from dataclasses import dataclass

from app.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard got. `last_id` of `after_id < id <= to_id` is done."""

    number: int
    after_id: int
    to_id: int
    last_id: int
    finished: bool
    tally: Tally
