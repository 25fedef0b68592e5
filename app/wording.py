"""How counts, lists and times are said."""

from collections.abc import Sequence

EXAMPLES = 5
"""How many of a list are named."""

_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd")
"""Unicode's category Cc."""


def counted(count: int, one: str, many: str = "") -> str:
    """The count and what it counts: `1 customer`, `2,000 customers`; `many` where it is not `one` and an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def these(noun: str, examples: Sequence[object], count: int = 0) -> str:
    """The first of a list: `id 7`, `ids 1, 2, 3, 4, 5 and 15 more`. `count`: of how many, where not all are given."""
    shown = ", ".join(map(str, examples[:EXAMPLES]))
    more = max(count, len(examples)) - EXAMPLES
    return f"{noun if len(examples) == 1 else f'{noun}s'} {shown}" + (f" and {more:,} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """`0:05`, `12:00`, `1:02:03`: minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def harmless(text: str, keep: str = "") -> str:
    """The text for a terminal: what would steer it, Unicode's control characters but those to `keep`, is shown as
    U+FFFD. It may come from a customer."""
    return text.translate({code: sign for code, sign in _CONTROLS.items() if chr(code) not in keep})
