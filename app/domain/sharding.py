"""How ids are cut into shards. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdRange:
    """Shard `number`: the ids with `after_id < id <= to_id`."""

    number: int
    after_id: int
    to_id: int


def split(max_id: int, shard_size: int) -> list[IdRange]:
    """As many ranges of `shard_size` ids as reach `max_id`, none when it is 0.

    The last one ends at `max_id` itself: who is added to the table later is not in it.
    """
    return [
        IdRange(number, after, min(after + shard_size, max_id))
        for number, after in enumerate(range(0, max_id, shard_size))
    ]
