"""Examines how settings are written: what is misspelt has no effect, and nothing else would say so."""

from collections.abc import Iterator

from app import config
from app.config import Config
from app.doctor.finding import Finding, ok, warning
from app.domain.suggestion import closest
from app.sentence import Sentence

ALIKE = 0.8
"""They begin alike, and many have a word in common."""


def examine() -> Iterator[Finding]:
    """One finding for each name that nobody reads and each line of `.env` that sets nothing, or one that is well."""
    unreadable = config.unreadable_lines()
    for line in unreadable:
        yield warning("settings", Sentence("doctor.env_line", line=line), Sentence("advice.env_line"))
    known = [name.upper() for name in Config.model_fields]
    unknown = config.unknown()
    for name in unknown:
        close = closest(name, known, ALIKE)
        advice = Sentence("advice.did_you_mean", name=close) if close else Sentence("advice.remove_setting")
        yield warning("settings", Sentence("doctor.no_setting", name=name), advice)
    if not unknown and not unreadable:
        yield ok("settings", Sentence("doctor.settings"))
