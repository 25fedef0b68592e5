"""A campaign's name, its states, and how one becomes another. Pure."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from app.errors import BadRequest

MAX_NAME_LETTERS = 64
MOST_DECOMPOSED = 4 * MAX_NAME_LETTERS
"""Letters of a name that may have that many once it is composed: a letter with three marks becomes one at most."""
MAX_NAME_BYTES = 255
"""A name is a folder's name, too; Linux allows 255 bytes. Source: path_resolution(7), NAME_MAX."""

LOG = "log"
"""The gateway that is always there: it writes messages to files, and nobody gets them."""


class State(StrEnum):
    """Where a campaign stands."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself. Who watches is told so, and goes."""
        return self not in {State.RUNNING, State.PAUSED}


class Verb(StrEnum):
    """What can be done to a campaign: the first three by people, the others by the work itself."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"
    FAIL = "fail"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Transition:
    """A verb is obeyed in the states of `start` alone, and leads to `end`."""

    start: frozenset[State]
    end: State


TRANSITIONS = {
    Verb.PAUSE: Transition(frozenset({State.RUNNING}), State.PAUSED),
    Verb.RESUME: Transition(frozenset({State.PAUSED, State.FAILED}), State.RUNNING),
    Verb.CANCEL: Transition(frozenset({State.RUNNING, State.PAUSED, State.FAILED}), State.CANCELLED),
    Verb.FINISH: Transition(frozenset({State.RUNNING}), State.FINISHED),
    Verb.FAIL: Transition(frozenset({State.RUNNING, State.PAUSED}), State.FAILED),
    Verb.REOPEN: Transition(frozenset({State.FINISHED}), State.RUNNING),
}
"""Cancelled is in no `start`: it is for ever. A campaign that is finished is opened again with new shards alone."""


class ShardState(StrEnum):
    """Where a shard stands; who works on it is told by its owner and lease."""

    OPEN = "open"
    SUSPECT = "suspect"  # its log is compared with the database before anything is added
    FINISHED = "finished"


def check_name(name: str) -> str:
    """The name in its composed form (NFC). Raises BadRequest unless it is 1 to 64 letters of any script with their
    marks, digits, `-`, `_` and `.`, and begins with none of `.` and marks."""
    name = composed(name)
    if not is_name(name):
        raise BadRequest("bad_name")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise BadRequest("bad_name.too_long", most=MAX_NAME_BYTES)
    return name


def composed(text: str) -> str:
    """A name in its composed form (NFC); '' for what is too long for one in any form. To compose takes a time that
    grows with the square of a run of marks, so it is not done to whatever a stranger sends."""
    return unicodedata.normalize("NFC", text) if len(text) <= MOST_DECOMPOSED else ""


def is_name(name: str) -> bool:
    """Whether it has the letters and the length of a name."""
    return (
        1 <= len(name) <= MAX_NAME_LETTERS
        and name[0] != "."
        and unicodedata.category(name[0])[0] != "M"
        and all(_is_allowed(letter) for letter in name)
    )


def _is_allowed(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] in "LM" or category == "Nd" or letter in "-_."
