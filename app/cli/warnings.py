"""Warnings before something is sent."""

from app.console import err
from app.domain.genders import Genders
from app.domain.greeting import MAN
from app.domain.template_doubts import Doubt, doubts
from app.store.genders import in_words

_SENTENCES = {
    Doubt.NO_PLACEHOLDER: "the template has no placeholder, everybody gets the same text",
    Doubt.FULL_WIDTH_BRACES: "full-width braces are sent as they stand; a placeholder is written {name}",
    Doubt.DOUBLED_BRACES: "{{name}} is sent as {name}; a placeholder is written with one brace on each side",
}


def warn_of(template: str) -> None:
    """A line on stderr for each thing in this template that may be a mistake."""
    for doubt in doubts(template):
        err.print(f"warning: {_SENTENCES[doubt]}")


def warn_of_genders(genders: Genders) -> None:
    """A line on stderr where customers are likely to be addressed wrongly."""
    if genders.odd:
        odd = in_words(genders.odd)
        err.print(f"warning: some customers have a gender that is none, {odd}, and are greeted {MAN}: see doctor")
    if genders.are_suspect:
        err.print("warning: all customers are women; LOAD DATA makes 0 of 男 and 女 alike: see doctor")
