"""Words for sentences, in English or Chinese: the edge of the house, where somebody reads.

The catalogues are app/locale/*/LC_MESSAGES/app.po, by gettext; `python -m tests.house.catalogues` makes of each the
.mo beside it, which is what is read here.
"""

import gettext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import AppError, Refused
from app.sentence import Every, Sentence, Some

if TYPE_CHECKING:
    from app.config import Language

FOLDER = Path(__file__).with_name("locale")


class Catalogue:
    """The words of one language. With `states` False the states of campaigns are named as programs know them."""

    def __init__(self, language: "Language", *, states: bool = True) -> None:
        self._found = gettext.translation("app", FOLDER, [language])
        self._states = states

    def say(self, code: str, /, **facts: object) -> str:
        """The sentence of this code, with its facts; the code and the facts where there is none, so that nothing that
        somebody must know is lost."""
        pattern = self._pattern(code, facts.get("count"))
        if pattern is None:
            return str(Sentence(code, **facts))
        return pattern.format_map({name: self._word(name, value) for name, value in facts.items()})

    def word(self, sentence: Sentence) -> str:
        """The same."""
        return self.say(sentence.code, **sentence.facts)

    def word_or(self, sentence: Sentence | None, text: str) -> str:
        """The same for one that another program made; its own text where we do not know the code, or miss a fact."""
        if sentence is None or self._pattern(sentence.code) is None:
            return text
        try:
            return self.word(sentence)
        except (KeyError, ValueError, TypeError):
            return text

    def word_error(self, error: BaseException) -> str:
        """What an error of ours says, or another one in its own words."""
        if isinstance(error, Refused):
            return self.word_or(error.sentence, error.message)
        return self.word(error.sentence) if isinstance(error, AppError) else str(error)

    def _pattern(self, code: str, count: object = None) -> str | None:
        if isinstance(count, int) and (found := self._found.ngettext(code, code, count)) != code:
            return found
        found = self._found.gettext(code)
        return None if found == code else found

    def _word(self, name: str, value: object) -> object:
        if isinstance(value, Sentence):
            return self.word(value)
        if isinstance(value, Every):
            return "; ".join(map(self.word, value))
        if isinstance(value, BaseException):
            return self.word_error(value)
        if isinstance(value, Some):
            shown = ", ".join(map(str, value.examples))
            more = value.count - len(value.examples)
            return self.say("some.more", shown=shown, more=more) if more > 0 else shown
        if name == "state" and self._states:
            return self.say(f"state.{value}")
        return value


@cache
def english() -> Catalogue:
    """The one for the server's log, which is searched, and for what programs have always read in English."""
    return Catalogue("en", states=False)


@cache
def ours() -> Catalogue:
    """The one for who called this program: SMS_LANGUAGE, else the locale."""
    from app import config  # noqa: PLC0415  it takes a while to load, and a list of commands has nothing to say

    return Catalogue(config.language())


def say(code: str, /, **facts: object) -> str:
    """A sentence for who called this program."""
    return ours().say(code, **facts)


def word(sentence: Sentence) -> str:
    """The same."""
    return ours().word(sentence)


def word_error(error: BaseException) -> str:
    """What an error says, for who called this program."""
    return ours().word_error(error)
