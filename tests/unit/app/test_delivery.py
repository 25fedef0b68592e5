"""What becomes of a message: what is final stays, and no news takes anything back."""

from itertools import product

import pytest

from app.domain.delivery import ANSWERS, RECEIPTS, Delivery, may_follow_answer, may_follow_receipt, pause_after

FINAL = {Delivery.DELIVERED, Delivery.UNDELIVERED, Delivery.EXPIRED, Delivery.REFUSED}


@pytest.mark.parametrize(("final", "news"), list(product(sorted(FINAL), Delivery)))
def test_what_is_final_stays(final, news):
    assert not may_follow_answer(final, news)
    assert not may_follow_receipt(final, news)


@pytest.mark.parametrize("state", Delivery)
def test_news_that_say_the_same_again_are_none(state):
    assert not may_follow_answer(state, state)
    assert not may_follow_receipt(state, state)


def test_a_submission_comes_to_what_an_answer_or_a_receipt_says():
    assert {each for each in Delivery if may_follow_answer(Delivery.SUBMITTING, each)} == ANSWERS
    assert {each for each in Delivery if may_follow_receipt(Delivery.SUBMITTING, each)} == RECEIPTS


def test_doubt_ends_by_a_late_answer_or_a_receipt_and_nothing_is_tried_again_by_them():
    known = {Delivery.ACCEPTED, Delivery.REFUSED}
    assert {each for each in Delivery if may_follow_answer(Delivery.UNKNOWN, each)} == known
    assert {each for each in Delivery if may_follow_receipt(Delivery.UNKNOWN, each)} == RECEIPTS


def test_pauses_grow_to_an_hour_and_end_with_the_validity():
    assert [pause_after(attempts, 86_400) for attempts in (1, 2, 3, 9, 12)] == [10, 20, 40, 2560, 3600]
    assert pause_after(4, 150) == 80
    assert pause_after(5, 150) is None
    assert pause_after(10_000, 604_800) is None
