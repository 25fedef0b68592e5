"""What is said of errors and other sentences, in words: the code raises codes and facts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.catalogue import Catalogue
from app.config import Language
from app.errors import AppError
from app.sentence import Sentence


def words(said: AppError | Sentence, language: Language = "en") -> str:
    """As the commands say it."""
    catalogue = Catalogue(language)
    return catalogue.word(said) if isinstance(said, Sentence) else catalogue.word_error(said)


@contextmanager
def refused(kind: type[AppError], match: str, language: Language = "en") -> Iterator[pytest.ExceptionInfo[AppError]]:
    """As pytest.raises, with a pattern of the words."""
    with pytest.raises(kind) as refusal:
        yield refusal
    said = words(refusal.value, language)
    assert re.search(match, said), said
