"""What one check found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"  # it works, though not as well as it could
    PROBLEM = "problem"  # the server will not start, or a campaign will not end


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. `advice` is what to do; '' where nothing is to be done."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """It works, though not as well as it could."""
    return Finding(check, Verdict.WARNING, found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """Somebody must act."""
    return Finding(check, Verdict.PROBLEM, found, advice)
