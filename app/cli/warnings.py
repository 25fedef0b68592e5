"""Warnings before something is sent."""

from app.catalogue import say
from app.console import err
from app.domain.genders import Genders
from app.domain.greeting import MAN
from app.domain.template_doubts import doubts
from app.sentence import Sentence
from app.store.genders import shown


def warn_of(template: str) -> None:
    """A line on stderr for each thing in this template that may be a mistake."""
    for doubt in doubts(template):
        _warn(Sentence(f"doubt.{doubt}"))


def warn_of_genders(genders: Genders) -> None:
    """A line on stderr where customers are likely to be addressed wrongly."""
    if genders.odd:
        _warn(Sentence("doubt_of_genders", odd=shown(genders.odd), man=MAN))
    if genders.are_suspect:
        _warn(Sentence("doubt_of_genders.all_women"))


def _warn(what: Sentence) -> None:
    err.print(say("warning", what=what))
