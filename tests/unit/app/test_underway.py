"""What is under way of a shard: how much of it leaves at once, and what comes back to the queue."""

import pytest

from app.domain.chunk import Chunk
from app.domain.delivery import Delivery
from app.gateways.base import Answer
from app.sending.underway import Underway

PLENTY = 1000


@pytest.fixture
def underway() -> Underway:
    """One chunk of customers 1 to 4, whose messages are of 1, 3, 1 and 1 parts."""
    found = Underway(epoch=1, validity_s=60, clock=lambda: 0.0)
    found.add(Chunk(0, 4, [1, 2, 3, 4], [101, 102, 103, 104], [1, 3, 1, 1]), ["a", "b", "c", "d"])
    return found


def tokens(underway: Underway, room: int, parts: int = PLENTY, *, goes_alone: bool = False) -> list[int]:
    return [each.token for each in underway.take(room, parts, goes_alone=goes_alone)]


def test_no_more_parts_leave_than_there_is_room_for(underway: Underway) -> None:
    assert tokens(underway, 3) == [1]
    assert tokens(underway, 2) == []
    assert tokens(underway, 4) == [2, 3]
    assert underway.queued == 1


def test_a_message_longer_than_the_window_goes_alone_when_nothing_else_is_under_way(underway: Underway) -> None:
    assert tokens(underway, 2, goes_alone=True) == [1]
    assert tokens(underway, 1) == []
    assert tokens(underway, 2, goes_alone=True) == [2]


def test_a_long_message_leaves_and_owes_what_the_rate_lacks(underway: Underway) -> None:
    assert tokens(underway, PLENTY, parts=1) == [1]
    assert tokens(underway, PLENTY, parts=1) == [2]
    assert tokens(underway, PLENTY, parts=2) == [3, 4]


def test_what_never_left_is_submitted_again_as_it_was(underway: Underway) -> None:
    first, second, *_ = underway.take(PLENTY, PLENTY)

    underway.note(Answer(second.token, Delivery.RETRY, is_unsent=True), again=True)

    assert underway.take(PLENTY, PLENTY) == [second]
    underway.note(Answer(first.token, Delivery.ACCEPTED, "x"))
    record = underway.ripe(all_of_them=True)
    assert record is not None
    assert [(each.customer_id, each.state, each.provider_id) for each in record.entries] == [
        (1, Delivery.ACCEPTED, "x"),
        (2, Delivery.SUBMITTING, ""),
        (3, Delivery.SUBMITTING, ""),
        (4, Delivery.SUBMITTING, ""),
    ]
