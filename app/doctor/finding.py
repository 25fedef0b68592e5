"""What one check found."""

from dataclasses import dataclass
from enum import StrEnum

from app.sentence import Sentence


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"  # it works, though not as well as it could
    PROBLEM = "problem"  # the server will not start, or a campaign will not end


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. `advice` is what to do; None where nothing is to be done."""

    check: str
    verdict: Verdict
    found: Sentence
    advice: Sentence | None = None


def ok(check: str, found: Sentence) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: Sentence, advice: Sentence | None) -> Finding:
    """It works, though not as well as it could."""
    return Finding(check, Verdict.WARNING, found, advice)


def problem(check: str, found: Sentence, advice: Sentence | None) -> Finding:
    """Somebody must act."""
    return Finding(check, Verdict.PROBLEM, found, advice)
