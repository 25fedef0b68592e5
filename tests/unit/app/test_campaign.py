"""What a campaign may be called."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.campaign import TRANSITIONS, State, Verb, check_name
from app.errors import BadRequest
from app.gateways.log_file.folder import log_path
from tests.words import refused

LETTERS = ["春节问候", "Été", "привет", "नमस्ते", "สวัสดี", "مرحبا", "𠮷野家", "한국어", "ﬁ"]


@pytest.mark.parametrize("name", [*LETTERS, "a", "2024-11-11_b.c", "-", "_", "a..b", "a.", "٣", "x" * 64, "字" * 64])
def test_letters_of_any_script_digits_and_three_signs_make_a_name(name):
    assert check_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        ".",
        "..",
        ".hidden",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a\0b",
        "a b",
        " a",
        "a\n",
        "a\u2028b",
        "a\u200db",
        "🎉",
        "a🎉",
        "½",
        "a:b",
        "a*",
        "<a>",
        "%2e%2e",
        "\ud842",
        "\u0301a",
    ],
)
def test_anything_else_is_refused_in_one_sentence(name):
    with refused(BadRequest, match=r"^任务名.*[^\n]$", language="zh") as refusal:
        check_name(name)

    assert refusal.value.code == "bad_name"


def test_two_spellings_of_one_name_are_one_name():
    assert check_name("e\u0301te\u0301") == check_name("été") == "été"


def test_a_name_is_counted_after_it_was_composed():
    assert check_name("e\u0301" * 64) == "é" * 64


def test_a_name_too_long_for_a_folder_is_refused_with_the_reason():
    assert check_name("𠮷" * 63) == "𠮷" * 63

    with refused(BadRequest, match="255"):
        check_name("𠮷" * 64)


@given(st.text(max_size=80) | st.text(alphabet="./\\a\0é🎉", max_size=80))
def test_a_name_is_refused_or_is_a_folder_of_its_own_below_the_logs(text):
    try:
        name = check_name(text)
    except BadRequest:
        return

    path = log_path(Path("/logs"), name, 0)
    assert path.resolve().parts == ("/", "logs", name, "task_0.log")
    assert len(name.encode()) <= 255
    assert check_name(name) == name


def test_a_campaign_is_over_unless_it_runs_or_is_paused():
    assert [state for state in State if not state.is_final] == [State.RUNNING, State.PAUSED]


SHORT = {
    State.RUNNING: "r",
    State.PAUSED: "p",
    State.FAILED: "f",
    State.FINISHED: "F",
    State.CANCELLED: "c",
}


def test_every_verb_leads_where_the_table_says_and_from_nowhere_else():
    assert {
        verb: ("".join(sorted(SHORT[each] for each in t.start)), t.end.value) for verb, t in TRANSITIONS.items()
    } == {
        "pause": ("r", "paused"),
        "reopen": ("F", "running"),
        "resume": ("fp", "running"),
        "cancel": ("fpr", "cancelled"),
        "finish": ("r", "finished"),
        "fail": ("pr", "failed"),
    }


def test_nothing_leads_out_of_cancelled_and_out_of_finished_a_second_run_alone():
    ways = {verb: each.start & {State.FINISHED, State.CANCELLED} for verb, each in TRANSITIONS.items()}

    assert {verb for verb, starts in ways.items() if starts} == {Verb.REOPEN}
    assert ways[Verb.REOPEN] == {State.FINISHED}
