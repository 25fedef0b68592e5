"""What is likely a mistake in a template that can be sent as it is. Pure."""

import re
from enum import StrEnum


class Doubt(StrEnum):
    """Why a sender may have meant something else."""

    NO_PLACEHOLDER = "no_placeholder"
    """Everybody gets the same text."""
    FULL_WIDTH_BRACES = "full_width_braces"
    """｛name｝, as a Chinese keyboard writes it, is sent as it stands."""
    DOUBLED_BRACES = "doubled_braces"
    """{{name}}, as other programs have it, is sent as {name}."""


_FULL_WIDTH = re.compile(r"[｛{]\w+｝|｛\w+[｝}]")
_DOUBLED = re.compile(r"(?<!\{)\{\{\w+\}\}(?!\})")


def doubts(template: str) -> list[Doubt]:
    """Those that hold for a template that was checked."""
    without_escapes = template.replace("{{", "").replace("}}", "")
    found = {
        Doubt.NO_PLACEHOLDER: "{" not in without_escapes,
        Doubt.FULL_WIDTH_BRACES: _FULL_WIDTH.search(template) is not None,
        Doubt.DOUBLED_BRACES: _DOUBLED.search(template) is not None,
    }
    return [doubt for doubt, holds in found.items() if holds]
