"""What is told of submissions: each once, and never that it can go again when it may have gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateways.smpp.pdu import LAST_SEQUENCE
from app.gateways.smpp.window import Answer, Outcome, Window

TIMEOUT_S = 10.0
ids = st.integers(0, 20)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3)),
        st.tuples(st.just("flush"), st.integers(1, 9)),
        st.tuples(st.just("accept"), ids),
        st.tuples(st.just("refuse"), ids),
        st.tuples(st.just("wait"), st.integers(1, 12)),
    ),
    max_size=60,
)


def window(size: int = 1000) -> Window:
    return Window(size, TIMEOUT_S)


class Naive:
    """What became of each part, by its sequence number."""

    def __init__(self) -> None:
        self.parts: dict[int, list[int]] = {}
        self.sent: set[int] = set()
        self.fate: dict[int, Outcome] = {}
        self.due: dict[int, float] = {}

    def outcome(self, token: int) -> Outcome:
        fates = [self.fate[sequence] for sequence in self.parts[token]]
        if Outcome.UNANSWERED in fates:
            return Outcome.UNANSWERED
        if Outcome.ACCEPTED in fates:
            return Outcome.ACCEPTED if set(fates) == {Outcome.ACCEPTED} else Outcome.PARTIAL
        return Outcome.REFUSED if Outcome.REFUSED in fates else Outcome.UNSENT


@given(steps)
def test_each_message_is_told_once_and_as_its_parts_went(events: list[tuple[str, int]]) -> None:
    under_test, naive = window(), Naive()
    now = 0.0
    told: dict[int, Outcome] = {}
    late: dict[int, Outcome] = {}

    def take() -> None:
        for answer in under_test.answers:
            assert answer.token not in told
            told[answer.token] = answer.outcome
            assert answer.outcome is naive.outcome(answer.token)
        for answer in under_test.late:
            assert told[answer.token] is Outcome.UNANSWERED
            assert answer.token not in late
            late[answer.token] = answer.outcome
            assert answer.outcome is naive.outcome(answer.token)
        under_test.answers, under_test.late = [], []

    for what, number in events:
        if what == "add":
            before = set(under_test.unsent)
            token = len(naive.parts)
            under_test.add([(token, [b""] * number)], now)
            naive.parts[token] = [sequence for sequence in under_test.unsent if sequence not in before]
            naive.due |= dict.fromkeys(naive.parts[token], now + TIMEOUT_S)
        elif what == "flush":
            for sequence in list(under_test.unsent)[:number]:
                del under_test.unsent[sequence]
                naive.sent.add(sequence)
        elif what == "wait":
            now += number
            for sequence, due in naive.due.items():
                if sequence not in naive.fate and due <= now:
                    naive.fate[sequence] = Outcome.UNANSWERED if sequence in naive.sent else Outcome.UNSENT
            under_test.expire(now)
        else:
            status = 0x58 if what == "refuse" else 0
            is_open = naive.fate.get(number, Outcome.UNANSWERED) is Outcome.UNANSWERED
            expected = number in naive.sent and is_open
            if expected:
                naive.fate[number] = Outcome.REFUSED if status else Outcome.ACCEPTED
            assert under_test.settle(number, status, b"id\0") is expected
        take()
    for sequence in naive.due:
        naive.fate.setdefault(sequence, Outcome.UNANSWERED if sequence in naive.sent else Outcome.UNSENT)
    under_test.lose()
    take()

    assert told.keys() == naive.parts.keys()
    assert len(under_test) == 0
    assert under_test.deadline is None


def test_an_accepted_message_has_its_ids_in_the_order_of_its_parts() -> None:
    under_test = window()
    under_test.add([("anna", [b"", b"", b""])], 0)
    under_test.unsent.clear()

    for sequence, provider_id in ((2, b"b\0"), (3, b"c"), (1, b"a\0junk")):
        under_test.settle(sequence, 0, provider_id)

    assert under_test.answers == [Answer("anna", Outcome.ACCEPTED, ("a", "b", "c"))]


def test_a_message_of_which_one_part_is_refused_is_partial_and_says_which_parts_went() -> None:
    under_test = window()
    under_test.add([("anna", [b"", b""])], 0)
    under_test.unsent.clear()

    under_test.settle(2, 0x58, b"")
    under_test.settle(1, 0, b"a\0")

    assert under_test.answers == [Answer("anna", Outcome.PARTIAL, ("a",), 0x58)]


def test_a_message_of_which_one_part_never_left_is_partial() -> None:
    under_test = window()
    under_test.add([("anna", [b"", b""])], 0)
    del under_test.unsent[1]

    under_test.settle(1, 0, b"a\0")
    under_test.lose()

    assert under_test.answers == [Answer("anna", Outcome.PARTIAL, ("a",))]


def test_a_late_answer_is_told_as_such() -> None:
    under_test = window()
    under_test.add([("anna", [b""])], 0)
    under_test.unsent.clear()
    under_test.expire(TIMEOUT_S)

    assert under_test.answers == [Answer("anna", Outcome.UNANSWERED)]
    assert under_test.settle(1, 0, b"a\0")
    assert under_test.late == [Answer("anna", Outcome.ACCEPTED, ("a",))]
    assert not under_test.settle(1, 0, b"a\0")


def test_an_answer_to_what_was_not_sent_counts_for_nothing() -> None:
    under_test = window()
    under_test.add([("anna", [b""])], 0)

    assert not under_test.settle(1, 0, b"a\0")
    under_test.lose()
    assert under_test.answers == [Answer("anna", Outcome.UNSENT)]


def test_an_id_that_is_longer_than_the_standard_allows_is_cut() -> None:
    under_test = window()
    under_test.add([("anna", [b""])], 0)
    under_test.unsent.clear()

    under_test.settle(1, 0, b"x" * 60_000)

    assert under_test.answers[0].provider_ids == ("x" * 64,)


def test_what_is_remembered_of_missing_answers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gateways.smpp.window.MOST_LATE", 10)
    under_test = window()
    for token in range(20):
        under_test.add([(token, [b""])], 0)
    under_test.unsent.clear()
    under_test.expire(TIMEOUT_S)

    assert [under_test.settle(sequence, 0, b"") for sequence in range(1, 21)] == [False] * 10 + [True] * 10


def test_a_message_of_more_parts_than_the_window_goes_alone() -> None:
    under_test = window(2)

    assert under_test.has_room(3)
    under_test.add([("anna", [b""])], 0)
    assert under_test.has_room(1)
    assert not under_test.has_room(2)


def test_sequence_numbers_begin_again_after_the_last() -> None:
    under_test = window()
    under_test._sequence = LAST_SEQUENCE - 1

    assert [under_test.next_sequence() for _ in range(3)] == [LAST_SEQUENCE, 1, 2]
