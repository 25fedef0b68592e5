"""Moments as a message shows them: in the zone of those who read. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def in_zone(moments: Sequence[str], zone: ZoneInfo) -> list[str]:
    """Each `2026-01-31 12:00:00` in UTC as the clock of the zone had it; what is none, such as '', as it is."""
    shown = {each: _in_zone(each, zone) for each in set(moments)}  # many came in one import
    return [shown[each] for each in moments]


def _in_zone(moment: str, zone: ZoneInfo) -> str:
    try:
        there = datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(zone)
    except (ValueError, OverflowError):  # MySQL's 0000-00-00, a text that somebody put into SQLite
        return moment
    return there.replace(tzinfo=None).isoformat(" ")
