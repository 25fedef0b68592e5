"""Warnings before something is sent."""

from app.console import err
from app.domain.template_doubts import Doubt, doubts

_SENTENCES = {
    Doubt.NO_PLACEHOLDER: "the template has no placeholder, everybody gets the same text",
    Doubt.FULL_WIDTH_BRACES: "full-width braces are sent as they stand; a placeholder is written {name}",
    Doubt.DOUBLED_BRACES: "{{name}} is sent as {name}; a placeholder is written with one brace on each side",
}


def warn_of(template: str) -> None:
    """A line on stderr for each thing in this template that may be a mistake."""
    for doubt in doubts(template):
        err.print(f"warning: {_SENTENCES[doubt]}")
