"""How times are said, and texts of others shown."""

_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd")
"""Unicode's category Cc."""


def duration(seconds: float) -> str:
    """`0:05`, `12:00`, `1:02:03`: minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def harmless(text: str, keep: str = "") -> str:
    """The text for a terminal: what would steer it, Unicode's control characters but those to `keep`, is shown as
    U+FFFD. It may come from a customer."""
    return text.translate({code: sign for code, sign in _CONTROLS.items() if chr(code) not in keep})
