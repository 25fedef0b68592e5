"""How a count is said."""


def counted(count: int, one: str, many: str = "") -> str:
    """The count and what it counts: `1 customer`, `2,000 customers`; `many` where it is not `one` and an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
