"""A campaign's name and states. Pure."""

import unicodedata
from enum import StrEnum

from app.errors import BadRequest

MAX_NAME_BYTES = 255
"""A name is a folder's name, too; Linux allows 255 bytes. Source: path_resolution(7), NAME_MAX."""


class State(StrEnum):
    """Where a campaign stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self is not State.RUNNING


class ShardState(StrEnum):
    """Where a shard stands; who works on it is told by its owner and lease."""

    OPEN = "open"
    FINISHED = "finished"


def check_name(name: str) -> str:
    """The name in its composed form (NFC). Raises BadRequest unless it is 1 to 64 letters of any script with their
    marks, digits, `-`, `_` and `.`, and begins with none of `.` and marks."""
    name = unicodedata.normalize("NFC", name)
    if (
        not 1 <= len(name) <= 64
        or name[0] == "."
        or unicodedata.category(name[0])[0] == "M"
        or not all(_is_allowed(letter) for letter in name)
    ):
        raise BadRequest("bad_name", "任务名只能由1到64个字母、数字、-、_、.组成,且不能以.开头")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise BadRequest("bad_name", f"任务名太长,编码后不能超过{MAX_NAME_BYTES}字节")
    return name


def _is_allowed(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] in "LM" or category == "Nd" or letter in "-_."
