"""In which language somebody reads: what they chose, else what their browser asks for, else English."""

from functools import cache
from typing import get_args

from starlette.requests import HTTPConnection

from app.catalogue import Catalogue
from app.config import Language

COOKIE = "language"
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def catalogue_in(language: Language) -> Catalogue:
    """The words of a language, read once."""
    return Catalogue(language)


def language_of(request: HTTPConnection) -> Language:
    """The one of the cookie, else the one that the browser likes best of ours."""
    chosen = request.cookies.get(COOKIE, "")
    return known(chosen) or preferred(request.headers.get("accept-language", ""))


def catalogue_of(request: HTTPConnection) -> Catalogue:
    """The words for who asked."""
    return catalogue_in(language_of(request))


def known(name: str) -> Language | None:
    """The language of this name, where it is one of ours."""
    return next((each for each in LANGUAGES if each == name), None)


def preferred(accepted: str) -> Language:
    """Of ours the one with the highest weight in an Accept-Language, `zh-CN,zh;q=0.9`; the first of equals. Pure.

    Source: RFC 9110 section 12.5.4.
    """
    best: tuple[float, Language] = (0.0, "en")
    for each in accepted.split(","):
        name, _, weight = each.partition(";")
        language = known(name.strip().lower().partition("-")[0])
        if language and (its := _weight(weight)) > best[0]:
            best = (its, language)
    return best[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
