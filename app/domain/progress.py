"""How far a shard got, as it is told to those who watch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard got. `last_id` of `after_id < id <= to_id` is done.

    `audience` is how many customers there were at the trigger, None until they are counted. `gone` is 0 until the shard
    is finished; then `sent + rejected + gone` is the audience.
    """

    number: int
    after_id: int
    to_id: int
    last_id: int
    sent: int
    finished: bool
    rejected: int = 0
    gone: int = 0
    audience: int | None = None
