"""A file of ids, one in a line: whom of an audience a campaign is for."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.domain.choice import HIGHEST_ID
from app.errors import FileUnusable

_LONGEST_LINE = 100
"""Bytes; of a longer one, as in a file that is something else, no more is read."""
_MARK = b"\xef\xbb\xbf"


def read_ids(path: Path) -> Sequence[int]:
    """All of them, ascending, each once; empty lines are none. Four bytes for each are in memory, and as many again.

    Raises FileUnusable for a file that cannot be read, has none, or has a line that is no id, with its number.
    """
    ids = array("I")
    try:
        with path.open("rb") as file:
            if file.read(len(_MARK)) != _MARK:
                file.seek(0)
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                text = line.strip()
                if text.isdigit() and 1 <= (its_id := int(text)) <= HIGHEST_ID:
                    ids.append(its_id)
                elif text or len(line) == _LONGEST_LINE:
                    raise FileUnusable("ids.bad_line", path=path, line=number, most=HIGHEST_ID)
    except OSError as error:
        raise FileUnusable("file_unusable", path=path, why=error.strerror or error) from error
    if not ids:
        raise FileUnusable("ids.none", path=path)
    return array("I", np.unique(np.frombuffer(ids, np.uint32)).tobytes())
