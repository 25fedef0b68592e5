"""Every sentence is in both catalogues, with the facts that the code gives it, and the .mo are those of the .po."""

import string
import tomllib
from datetime import UTC, datetime
from fnmatch import fnmatch

import pytest

from app.campaigns.drain import GatewayState
from app.config import Config
from app.doctor.finding import Verdict
from app.domain.actor import Deed
from app.domain.campaign import ShardState, State
from app.domain.delivery import Delivery
from app.domain.rights import Role
from app.domain.template_doubts import Doubt
from app.store import trouble
from app.web.rendering import LINKS
from app.web.scenes import RECEIPTS
from tests.house.catalogues import LANGUAGES, compiled, entries, sentences, source
from tests.house.sentences import uses
from tests.house.sources import ROOT

by_language = pytest.mark.parametrize("language", LANGUAGES)

AT_RUN_TIME = {
    *(f"state.{each}" for each in State),
    *(f"shard_state.{each}" for each in ShardState),
    *(f"delivery.{each}" for each in Delivery),
    *(f"deed.{each}" for each in Deed),
    *(f"role.{each}" for each in Role),
    *(f"gateway_state.{each}" for each in GatewayState),
    *(f"token_state.{each}" for each in ("in_force", "expired", "revoked")),
    *(f"doubt.{each}" for each in Doubt),
    *(f"verdict.{each}" for each in Verdict),
    *(f"done.{verb}{rest}" for verb in ("pause", "resume", "cancel") for rest in ("", "_not_yet")),
    *(f"wrong_state.{rest}{verb}" for verb in ("pause", "resume", "cancel") for rest in ("", "already_")),
    *(f"trouble.{each}" for each in [*trouble._OF_SERVER.values(), *trouble._OF_SQLITE.values(), "slow", "other"]),
    *(f"trouble_advice.{each}" for each in [*trouble._OF_SERVER.values(), *trouble._OF_SQLITE.values(), "slow"]),
    *("bad_field.not_str", "bad_field.not_bool"),
    *(f"receipts.{each}" for each in RECEIPTS),
    *(code for _, code, _ in LINKS),
    *(f"page.process_{each}" for each in ("host", "kind", "busy", "seen")),
    *(f"verb.{verb}{rest}" for verb in ("pause", "resume", "cancel") for rest in ("", "_now", "_means")),
    *("verb.resume_failed", "verb.retry", "verb.verify"),
    *("differences.kept", "differences.missing", "differences.left_over"),
}
"""What is put together from a word that is known then. Columns: see tests/integration/app/test_language.py."""


def fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


def facts_of(code: str, language: str = "en") -> set[str]:
    return set().union(*map(fields, sentences(language)[code]))


@by_language
def test_no_sentence_is_missing(language: str) -> None:
    said = {use.code: use.place for use in uses() if not use.code.endswith("*")} | dict.fromkeys(AT_RUN_TIME, "")

    assert {code: place for code, place in said.items() if code not in sentences(language)} == {}


@by_language
def test_no_sentence_stands_there_that_nobody_says(language: str) -> None:
    said = {use.code for use in uses()}
    families = {code[:-1] for code in said if code.endswith("*")}

    assert [c for c in sentences(language) if c not in said and not c.startswith(tuple(families))] == []


def test_both_languages_have_the_same_sentences_in_the_same_order() -> None:
    assert list(sentences("en")) == list(sentences("zh"))


@by_language
def test_nothing_is_left_empty(language: str) -> None:
    assert [code for code, texts in sentences(language).items() if not all(texts)] == []


def test_a_sentence_has_the_same_facts_in_both_languages() -> None:
    # A Chinese answer of the trigger is as long as it ever was; what the English one adds, the code gives to both.
    apart = {code: facts_of(code, "en") ^ facts_of(code, "zh") for code in sentences("en")}
    allowed = {code: {"campaign"} & facts_of(code, "en") for code in apart if code.startswith("accepted")}

    assert {code: facts for code, facts in apart.items() if facts and facts != allowed.get(code)} == {}


def test_a_sentence_is_given_every_fact_that_it_shows() -> None:
    lacking = {
        use.place: facts_of(use.code) - use.facts
        for use in uses()
        if use.facts is not None and not use.code.endswith("*") and not facts_of(use.code) <= use.facts
    }

    assert lacking == {}


def test_a_sentence_with_a_plural_is_given_its_count() -> None:
    plurals = {code for code, texts in sentences("en").items() if len(texts) > 1}

    assert [use.place for use in uses() if use.code in plurals and use.facts and "count" not in use.facts] == []


@by_language
def test_the_compiled_catalogue_is_that_of_its_source(language: str) -> None:
    there = source(language).with_suffix(".mo").read_bytes()

    assert entries(there) == entries(compiled(language)), "run: python -m tests.house.catalogues"


def test_a_wheel_has_the_compiled_catalogues() -> None:
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["app"]

    files = [str(source(each).with_suffix(".mo").relative_to(ROOT / "app")) for each in LANGUAGES]
    assert all(any(fnmatch(file, pattern) for pattern in shipped) for file in files)


def test_every_language_of_the_setting_has_a_catalogue() -> None:
    (kind, _) = Config.model_fields["sms_language"].annotation.__args__  # type: ignore[union-attr]

    assert kind.__args__ == LANGUAGES


@by_language
def test_the_same_sentences_make_the_same_bytes_whenever_that_is(language: str) -> None:
    now = f"POT-Creation-Date: {datetime.now(UTC):%Y}"

    assert now.encode() not in compiled(language)
