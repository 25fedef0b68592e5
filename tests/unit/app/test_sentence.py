"""What is to be said: codes and facts, how they are stored, and how words are made of them."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue import Catalogue
from app.errors import Refused, UnknownCampaign
from app.sentence import Every, Sentence, Some, as_json, from_json, read, stored

texts = st.text(st.sampled_from(string.ascii_letters + '春\\"\n/'), max_size=600)
facts = st.dictionaries(st.sampled_from(["path", "why", "size", "count"]), texts | st.integers(), max_size=4)


@given(facts)
def test_a_sentence_comes_back_as_it_was_stored_where_there_is_room(given_facts):
    sentence = Sentence("a.b", **given_facts)

    assert read(stored(sentence, 100_000)) == sentence


@given(facts)
def test_a_sentence_is_stored_in_the_room_there_is_and_stays_one(given_facts):
    text = stored(Sentence("a.b", **given_facts), 500)

    assert len(text) <= 500
    back = read(text)
    assert back is not None
    assert (back.code, set(back.facts)) == ("a.b", set(given_facts))


def test_what_has_to_be_cut_loses_its_beginning_for_the_name_of_a_file_stands_at_the_end():
    back = read(stored(Sentence("log_damaged.short", path=f"/{'a' * 4000}/task_0.log", size=4, position=5), 500))

    assert back is not None
    assert str(back.facts["path"]).startswith("…a")
    assert str(back.facts["path"]).endswith("/task_0.log")
    assert (back.facts["size"], back.facts["position"]) == (4, 5)


def test_a_sentence_within_another_goes_through_json():
    sentence = Sentence("failed", campaign="a", why=Sentence("log_damaged.replaced", path="/x"))

    assert from_json(json.loads(json.dumps(as_json(sentence)))) == sentence


@pytest.mark.parametrize(
    "text", ["", "a log is gone", "5", "[1]", '{"code": "x"}', '{"facts": {}}', '{"code": 1, "facts": 2}']
)
def test_a_text_of_before_is_no_sentence(text):
    assert read(text) is None


def test_of_a_list_the_first_five_are_named_and_how_many_there_are():
    few, many = Some([1, 2]), Some(range(1, 21))

    assert Catalogue("en").say("difference.missing", count=2, ids=few).endswith("ids 1, 2")
    assert Catalogue("en").say("difference.missing", count=20, ids=many).endswith("ids 1, 2, 3, 4, 5 and 15 more")
    assert Catalogue("zh").say("difference.missing", count=20, ids=many).endswith("编号 1, 2, 3, 4, 5 等,另有 15 个")


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 customer has no"), (2, "2 customers have"), (0, "0 customers have")]
)
def test_one_is_singular_and_every_other_count_plural(count, said):
    assert Catalogue("en").say("difference.missing", count=count, ids="7").startswith(said)


def test_sentences_are_said_one_after_the_other():
    problems = Every([Sentence("setting.no_number", name="A"), Sentence("setting.no_number", name="B")])

    assert Catalogue("en").say("settings", problems=problems) == "A is not a whole number; B is not a whole number"


def test_a_state_is_a_word_for_people_and_stays_what_it_is_for_programs():
    facts = {"campaign": "a", "state": "paused"}

    assert Catalogue("zh").say("watching", **facts) == "a 已暂停"
    assert Catalogue("zh", states=False).say("exists", **facts) == "任务a已存在,状态: paused"


def test_a_code_that_no_catalogue_has_is_shown_with_its_facts_rather_than_nothing():
    assert Catalogue("en").say("unheard_of", path="/x") == "unheard_of path=/x"


@pytest.mark.parametrize(
    "refused",
    [
        Refused("unheard_of", "服务器的话"),
        Refused("bad_template.too_long", "服务器的话"),
        Refused("bad_template.too_long", "服务器的话", most="many"),
    ],
    ids=["an unknown code", "a fact that is not there", "a fact of another kind"],
)
def test_what_the_server_refuses_in_a_way_that_we_do_not_know_is_said_in_its_words(refused):
    assert Catalogue("en").word_error(refused) == "服务器的话"


def test_an_error_of_ours_has_a_code_and_facts_and_no_words():
    error = UnknownCampaign("spring")

    assert (error.code, dict(error.sentence.facts), error.name) == (
        "unknown_campaign",
        {"campaign": "spring"},
        "spring",
    )
    assert str(error) == "unknown_campaign campaign=spring"
