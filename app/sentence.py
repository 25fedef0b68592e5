"""What is to be said, before it is said: a code and its facts. Pure.

Rules and use cases make these; words come from a catalogue where somebody reads them, see app/catalogue.py.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

EXAMPLES = 5
"""How many of a list are named."""
_SHORTEST = 16
"""Letters of a fact that are left where there is little room."""


class Sentence:
    """`code` names it in every catalogue; what follows its first dot tells apart the sentences of one kind. A fact may
    be a sentence itself, or `Some`. One that is named `count` chooses between singular and plural."""

    __slots__ = ("code", "facts")
    __hash__ = None  # type: ignore[assignment]  # facts may be lists

    def __init__(self, code: str, /, **facts: object) -> None:
        self.code = code
        self.facts: Mapping[str, object] = facts

    @property
    def kind(self) -> str:
        """What programs go by."""
        return self.code.partition(".")[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and (self.code, self.facts) == (other.code, other.facts)

    def __repr__(self) -> str:
        return f"Sentence({self})"

    def __str__(self) -> str:
        """For logs of the server and for tracebacks."""
        return " ".join([self.code, *(f"{name}={value}" for name, value in self.facts.items())])


class Every(list[Sentence]):
    """Sentences that are said one after the other."""


class Some:
    """The first of a list, and of how many."""

    __slots__ = ("count", "examples")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, all_or_first: Iterable[object], count: int = 0) -> None:
        items = list(islice(all_or_first, EXAMPLES)) if count else list(all_or_first)
        self.examples = items[:EXAMPLES]
        self.count = max(count, len(items))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Some) and (self.examples, self.count) == (other.examples, other.count)

    def __repr__(self) -> str:
        return f"{', '.join(map(str, self.examples))}{' …' if self.count > len(self.examples) else ''}"


def as_json(sentence: Sentence) -> dict[str, Any]:
    """The sentence as JSON has it, for `from_json`."""
    facts: dict[str, Any] = {}
    for name, value in sentence.facts.items():
        if isinstance(value, Sentence):
            facts[name] = as_json(value)
        else:
            facts[name] = value if isinstance(value, int | float) else str(value)
    return {"code": sentence.code, "facts": facts}


def from_json(found: Any) -> Sentence | None:
    """What `as_json` made; None for what is none."""
    try:
        facts = {
            str(name): (from_json(value) or "") if isinstance(value, dict) else value
            for name, value in found["facts"].items()
        }
        return Sentence(str(found["code"]), **facts)
    except (TypeError, KeyError, AttributeError):
        return None


def stored(sentence: Sentence, most_characters: int = 100_000) -> str:
    """The sentence as a text of so many characters, for `read`; long facts lose their beginning where they must."""
    document = as_json(sentence)
    facts = document["facts"]
    while len(text := json.dumps(document, ensure_ascii=False)) > most_characters:
        name = max(facts, key=lambda each: len(str(facts[each])))
        value = str(facts[name])
        if len(value) <= _SHORTEST:
            raise ValueError(f"{sentence.code} has too many facts for {most_characters} characters")
        facts[name] = f"…{value[-max(_SHORTEST - 1, len(value) - (len(text) - most_characters) - 1) :]}"
    return text


def read(text: str) -> Sentence | None:
    """What `stored` made; None for a text that is none."""
    try:
        return from_json(json.loads(text))
    except ValueError:
        return None
