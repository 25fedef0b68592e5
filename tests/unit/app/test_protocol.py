"""Requests of the trigger, and the lines that answer them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.campaign import check_name
from app.domain.progress import ShardProgress
from app.domain.tally import Tally
from app.errors import BadRequest, UnknownCampaign, WrongState
from app.sentence import Sentence
from app.trigger import answers, requests
from app.trigger.answers import Progress, TaskProgress, read_progress
from app.trigger.requests import Control, Trigger, Watch, parse, token_of

WHY = Sentence("plain", text="why")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["campaign", "template", "watch", "token", "pause", "cancel"]) | st.text(max_size=8)
objects = st.dictionaries(fields, values, max_size=4).map(lambda each: json.dumps(each).encode())
bodies = st.binary(max_size=200) | objects | st.binary(max_size=50).map(lambda rest: b"{" + rest)


def test_a_plain_body_is_the_name():
    assert parse("春节".encode()) == Trigger("春节")


def test_the_tutorials_own_body_is_a_name():
    assert parse(b"a") == Trigger("a")


@pytest.mark.parametrize("body", [b"a\n", b"a\r\n", b"  a\t"])
def test_space_around_a_plain_name_does_not_count(body):
    assert parse(body) == Trigger("a")


def test_an_object_may_say_more():
    body = {"campaign": "春节", "template": "{name}好", "watch": True, "token": "t"}

    assert parse(json.dumps(body).encode()) == Trigger("春节", "{name}好", True, "t")


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_an_object_may_pause_resume_or_cancel_instead(verb):
    assert parse(json.dumps({verb: "春节", "token": "t"}).encode()) == Control(verb, "春节", "t")


def test_only_the_name_must_be_there():
    assert parse(b' {"campaign": "a"}\n') == Trigger("a")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"campaign": "a", "tempalte": ""}', "unknown_field"),
        (b'{"campaign": 1}', "bad_field"),
        (b'{"campaign": null}', "bad_field"),
        (b'{"campaign": "a", "watch": 1}', "bad_field"),
        (b'{"campaign": "a", "watch": "true"}', "bad_field"),
        (b'{"campaign": "a", "template": ["x"]}', "bad_field"),
        (b'{"campaign": "a", "token": {}}', "bad_field"),
        (b"{}", "bad_field"),
        (b'{"watch": true}', "bad_field"),
        (b'{"campaign": "a", "pause": "a"}', "bad_field"),
        (b'{"pause": "a", "resume": "a"}', "bad_field"),
        (b'{"pause": "a", "watch": true}', "bad_field"),
        (b'{"cancel": "a", "template": "x"}', "bad_field"),
        (b'{"cancel": true}', "bad_field"),
        (b'{"campaign": "a", "only_ids": 5}', "bad_field"),
        (b'{"campaign": "a", "only_ids": []}', "bad_field"),
        (b'{"campaign": "a", "only_ids": [1, 0]}', "bad_field"),
        (b'{"campaign": "a", "only_ids": [1, true]}', "bad_field"),
        (b'{"campaign": "a", "only_ids": [4294967296]}', "bad_field"),
        (b'{"campaign": "a", "only_ids": ["1"]}', "bad_field"),
        (b'{"campaign": "a", "sample": 0}', "bad_field"),
        (b'{"campaign": "a", "sample": 1.5}', "bad_field"),
        (b'{"campaign": "a", "sample": 5, "only_ids": [1]}', "bad_choice"),
        (b'{"pause": "a", "sample": 5}', "bad_field"),
        (b'{"finish": "a"}', "unknown_field"),
        (b"{", "bad_json"),
        (b'{"campaign": "a"} x', "bad_json"),
        (b"{'campaign': 'a'}", "bad_json"),
        (b'{"campaign":' + b"[" * 200_000, "bad_json"),
        (b'{"campaign":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, "bad_json"),
        (b'{"campaign":' + b"1" * 10_000 + b"}", "bad_json"),
        (b'{"watch": "a", "template": "x"}', "unknown_field"),
        (b'{"watch": "a", "token": 1}', "bad_field"),
        (b"\xff\xfe", "bad_utf8"),
        (b'{"campaign": "\xff"}', "bad_utf8"),
        (b"\xed\xa0\x80", "bad_utf8"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else value,
)
def test_what_cannot_be_understood_is_refused_with_a_code(body, code):
    with pytest.raises(BadRequest) as refusal:
        parse(body)

    assert refusal.value.code == code


def test_an_unknown_field_is_named_beside_those_that_are_known():
    with pytest.raises(BadRequest, match=r'"nmae".*campaign, template, watch, token'):
        parse(b'{"nmae": "a"}')


def test_an_empty_body_is_a_name_that_is_refused():
    with pytest.raises(BadRequest):
        check_name(parse(b"").campaign)


@given(bodies)
def test_any_bytes_are_a_request_or_a_refusal_and_the_answer_is_one_line(body):
    as_json = requests.is_json(body)
    try:
        name = check_name(parse(body).campaign)
    except BadRequest as error:
        lines = [answers.refused(error.sentence, as_json=as_json)]
    else:
        shards = [ShardProgress(0, 0, 5, 3, False, Tally(sent=2))]
        lines = [
            answers.accepted(name, [], "finished", as_json=as_json),
            answers.accepted(name, [0, 1], "running", as_json=as_json),
            answers.exists(name, [0], "running", as_json=as_json),
            answers.controlled("pause", name, "paused", 5, [1], as_json=as_json),
            answers.refused(WrongState(name, "cancel", "finished").sentence, as_json=as_json),
            answers.refused(UnknownCampaign(name).sentence, as_json=as_json),
            answers.progress(name, "failed", Sentence("plain", text="why\nthat"), shards, as_json=as_json),
        ]

    for answer in lines:
        assert answer.endswith(b"\n")
        assert answer.count(b"\n") == 1
        assert not as_json or json.loads(answer)["message"]


choices = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"only_ids": st.lists(st.integers(1, 2**32 - 1), min_size=1).map(tuple)}),
    st.fixed_dictionaries({"only_list": st.text()}),
    st.fixed_dictionaries({"sample": st.integers(1)}),
)


@given(
    st.builds(
        lambda *of, audience, choice: Trigger(*of, audience=audience, **choice),
        *(st.text(), st.text(), st.booleans(), st.text()),
        audience=st.none() | st.text(),
        choice=choices,
    )
)
def test_a_request_comes_back_as_it_was_made(trigger):
    assert parse(requests.request(trigger)) == trigger


def test_a_template_that_is_no_unicode_gets_to_the_server_which_refuses_it():
    assert parse(requests.request(Trigger("a", "\udcff{name}"))) == Trigger("a", "\udcff{name}")


def test_an_empty_template_is_not_taken_for_none():
    assert parse(requests.request(Trigger("a", ""))) == Trigger("a", "") != Trigger("a")


def test_a_campaign_that_is_there_may_be_watched_by_its_name():
    assert parse('{"watch": "春节", "token": "t"}'.encode()) == Watch("春节", "t")


@given(st.builds(Watch, st.text(), st.text()))
def test_a_request_to_watch_comes_back_as_it_was_made(watch):
    assert parse(requests.request(watch)) == watch


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"campaign": "a", "token": "t"}', "t"),
        (b' {"token": "t", "nonsense": 1}', "t"),
        (b'{"token": 5}', ""),
        (b'{"token":\n"t"', "t"),
        (b'{"token": "a\\"\\u0062\\/"}', 'a"b/'),
        (b'{"token": "\\x"}', ""),
        (b'{"token": "\xff"}', ""),
        (b'{"token": "t', ""),
        (b'{"token", "t"}', ""),
        (b'{"a": "token", "b": "t"}', ""),
        (b'{"campaign":' + b"[" * 200_000, ""),
        (b'{"campaign":' + b"[" * 200_000 + b'"token": "t"', "t"),
        (b"{" + b'"token":"' * 10_000 + b"\\" * 50_001, ""),
        (b"{\xff", ""),
        (b"t", ""),
        (b'["t"]', ""),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else value,
)
def test_the_token_of_a_request_is_found_whatever_else_is_wrong_with_it(body, token):
    assert token_of(body) == token


def test_a_client_reads_the_progress_that_was_written():
    shards = [ShardProgress(0, 0, 10, 10, True, Tally(sent=8)), ShardProgress(1, 10, 15, 12, False, Tally(sent=2))]

    progress = read_progress(json.loads(answers.progress("a", "failed", WHY, shards, as_json=True)))

    tasks = [TaskProgress(0, 8, 10, 10, True), TaskProgress(1, 2, 2, 5, False)]
    assert progress == Progress("a", "failed", "why", Tally(sent=10), tasks, why=WHY)
    assert progress.share == 0.8


tasks = st.lists(st.fixed_dictionaries(dict.fromkeys(("task", "sent", "done", "of", "finished"), values)), max_size=2)
progresses = st.fixed_dictionaries(
    {**dict.fromkeys(("campaign", "state", "reason", "sent"), values), "tasks": tasks | values}
)


@given(progresses | st.dictionaries(st.sampled_from(["campaign", "state", "tasks", "sent"]), values))
def test_what_is_no_progress_line_is_a_value_error(facts):
    try:
        assert isinstance(read_progress(facts), Progress)
    except ValueError:
        return


def test_the_answers_are_the_tutorials_words():
    assert answers.accepted("a", [0, 1, 2, 3], "running", as_json=False).decode() == (
        "分发任务给了task0,1,2,3执行,您将收到短信提醒\n"
    )
    assert answers.exists("春节", [0], "finished", as_json=False).decode() == "任务春节已存在,状态: finished\n"
    for state in ("paused", "failed"):
        line = answers.exists("春节", [0], state, as_json=False).decode()
        assert line == f"任务春节已存在,状态: {state},用resume继续\n"


def test_an_object_is_answered_with_facts_beside_the_words():
    answer = json.loads(answers.accepted("a", [0, 1], "running", as_json=True))

    assert answer == {
        "ok": True,
        "created": True,
        "campaign": "a",
        "state": "running",
        "tasks": [0, 1],
        "message": "分发任务给了task0,1执行,您将收到短信提醒",
    }


@pytest.mark.parametrize("answer", [answers.accepted, answers.exists])
@pytest.mark.parametrize("as_json", [True, False])
def test_the_answer_to_a_trigger_stays_short_however_many_shards_there_are(answer, as_json):
    line = answer("a", range(20_000_000, 20_004_000), "running", as_json=as_json)

    assert len(line) < 2_000
    if as_json:
        facts = json.loads(line)
        assert facts["tasks"] == list(range(20_000_000, 20_000_064))
        assert facts["task_count"] == 4_000


DONE = Tally(sent=6, rejected=2, gone=1, audience=9)


def test_progress_counts_ids_that_are_done_and_messages_that_are_sent():
    shards = [ShardProgress(0, 0, 10, 10, True, DONE), ShardProgress(1, 10, 15, 12, False, Tally(2, audience=None))]

    line = json.loads(answers.progress("a", "running", None, shards, as_json=True))

    assert (line["sent"], line["rejected"], line["gone"], line["audience"]) == (8, 2, 1, None)
    counts = {"rejected": 2, "gone": 1, "audience": 9}, {"rejected": 0, "gone": 0, "audience": None}
    assert line["tasks"] == [
        {"task": 0, "sent": 6, "done": 10, "of": 10, "finished": True, **counts[0]},
        {"task": 1, "sent": 2, "done": 2, "of": 5, "finished": False, **counts[1]},
    ]


def test_the_audience_of_a_campaign_is_known_once_every_shard_is_counted():
    shards = [ShardProgress(0, 0, 10, 10, True, DONE), ShardProgress(1, 10, 15, 12, False, Tally(2, audience=5))]

    assert json.loads(answers.progress("a", "running", None, shards, as_json=True))["audience"] == 14
    assert answers.progress("a", "running", None, shards, as_json=False).decode() == (
        "任务a: running, 已发送8, 未发送2\n"
    )


def test_a_progress_line_says_who_is_in_which_state_of_the_ledger_and_sent_is_what_was_taken():
    tally = Tally(sent=9, accepted=3, delivered=4, unknown=2)
    shards = [ShardProgress(0, 0, 10, 9, False, tally)]

    facts = json.loads(answers.progress("a", "running", None, shards, as_json=True))

    assert facts["states"] == {"accepted": 3, "delivered": 4, "unknown": 2}
    assert facts["sent"] == facts["tasks"][0]["sent"] == 7
    assert read_progress(facts).tally.states == tally.states
