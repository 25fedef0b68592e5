"""engine/ipc/in_flight.py: what a task worker had in hand is there for the one that follows it."""

import itertools
import os

import pytest

from engine.ipc.in_flight import LEAD_BYTES, REGION_BYTES, InFlight, InFlightTask, slots_in
from engine.ipc.memory import anonymous
from engine.ipc.message import INLINE_BYTES, PACKET_BYTES, TIMED_OUT, Kind, Message, packets, to_bytes
from tests.unit.engine.starts import death_at_line


def new_hand() -> InFlight:
    return InFlight(anonymous("hand", REGION_BYTES).view)


def task(number: int, body: bytes = b"body") -> Message:
    return Message(1, 0, 0, number, body)


def putting(messages: list[Message]):
    """What a way does: write one packet behind the lead of the memory it is given."""
    (packet,) = packets([to_bytes(each) for each in messages])

    def receive_into(buffer: memoryview) -> int:
        buffer[LEAD_BYTES : LEAD_BYTES + len(packet)] = packet
        return len(packet)

    return receive_into


def holding(count: int) -> InFlight:
    in_flight = new_hand()
    in_flight.take(putting([task(number) for number in range(count)]))
    return in_flight


def counts(entries: list[InFlightTask]) -> list[tuple[int, int, int]]:
    return [(each.message.id, each.begun, each.deaths) for each in entries]


def test_a_new_hand_is_empty() -> None:
    assert new_hand().leftover() == []


def test_taking_gives_the_messages_in_order_with_their_places() -> None:
    entries = new_hand().take(putting([task(5), task(6)]))

    assert entries == [InFlightTask(0, task(5), 0, 0), InFlightTask(1, task(6), 0, 0)]


def test_taking_nothing_gives_nothing() -> None:
    in_flight = new_hand()

    assert in_flight.take(lambda buffer: 0) == []
    assert in_flight.leftover() == []


def test_what_was_taken_and_not_begun_is_left_as_it_came() -> None:
    assert counts(holding(3).leftover()) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


def test_the_one_begun_is_left_and_one_more_process_died_of_it() -> None:
    in_flight = holding(3)

    in_flight.begin(1)

    assert counts(in_flight.leftover()) == [(0, 0, 0), (1, 1, 1), (2, 0, 0)]


def test_one_that_ended_is_left_without_a_death_while_its_answer_is_not_sent() -> None:
    in_flight = holding(2)

    in_flight.begin(0)
    in_flight.end(0)
    in_flight.begin(1)

    assert counts(in_flight.leftover()) == [(0, 1, 0), (1, 1, 1)]


def test_deaths_of_one_are_not_forgotten_while_another_is_handled() -> None:
    in_flight = holding(2)
    in_flight.begin(0)  # and dies
    in_flight.begin(0)  # and dies again
    in_flight.begin(0)
    in_flight.end(0)

    in_flight.begin(1)

    assert counts(in_flight.leftover()) == [(0, 3, 2), (1, 1, 1)]


def test_those_answered_are_not_left() -> None:
    in_flight = holding(3)
    in_flight.begin(0)
    in_flight.end(0)
    in_flight.answered(1)
    in_flight.begin(1)

    assert [(each.place, each.message.id, each.deaths) for each in in_flight.leftover()] == [(1, 1, 1), (2, 2, 0)]
    assert in_flight.answered_before() == [task(0)]


def test_with_all_answered_nothing_is_left() -> None:
    in_flight = holding(2)

    in_flight.answered(2)

    assert in_flight.leftover() == []
    assert in_flight.answered_before() == [task(0), task(1)]


def test_a_cleared_hand_is_empty_and_the_next_packet_starts_afresh() -> None:
    in_flight = holding(3)
    in_flight.begin(2)
    in_flight.answered(2)

    in_flight.clear()

    assert in_flight.leftover() == in_flight.answered_before() == []
    in_flight.take(putting([task(7), task(8), task(9)]))
    assert counts(in_flight.leftover()) == [(7, 0, 0), (8, 0, 0), (9, 0, 0)]


def test_more_deaths_than_can_be_counted_stay_the_most() -> None:
    in_flight = holding(1)

    for _ in range(300):
        in_flight.begin(0)

    assert counts(in_flight.leftover()) == [(0, 255, 255)]


def test_as_many_of_the_smallest_messages_as_a_packet_holds_are_counted() -> None:
    smallest = to_bytes(task(0, b""))
    most = (PACKET_BYTES - 4) // len(smallest)
    in_flight = new_hand()
    in_flight.take(putting([task(number, b"") for number in range(most)]))

    in_flight.begin(most - 1)

    assert counts(in_flight.leftover())[-1] == (most - 1, 1, 1)


def test_the_largest_packet_fits() -> None:
    largest = task(1, b"x" * INLINE_BYTES)
    many = [largest] * (PACKET_BYTES // len(to_bytes(largest)))

    assert len(new_hand().take(putting(many))) == len(many)


@pytest.mark.parametrize("begun", [0, 1])
def test_another_process_finds_what_a_dead_one_had(begun: int) -> None:
    in_flight = new_hand()
    pid = os.fork()
    if pid == 0:
        in_flight.take(putting([task(0), task(1)]))
        in_flight.begin(begun)
        os._exit(0)
    os.waitpid(pid, 0)

    left = in_flight.leftover()

    assert [each.message for each in left] == [task(0), task(1)]
    assert left[begun].deaths == 1


def test_what_was_given_back_is_left_to_nobody() -> None:
    in_flight = holding(3)
    in_flight.begin(0)

    in_flight.requeue(2)

    assert counts(in_flight.leftover()) == [(0, 1, 1), (1, 0, 0)]


def test_a_file_of_what_was_given_back_is_not_ours_to_remove() -> None:
    in_flight = holding(3)
    in_flight.requeue(1)

    in_flight.answered(3)

    assert [message.id for message in in_flight.answered_before()] == [0, 2]


# ── several ─────────────────────────────────────────────────────────────────────────────────────


def test_a_memory_for_three_holds_three_that_know_nothing_of_each_other() -> None:
    memory = anonymous("hands", 3 * REGION_BYTES).view
    for number, in_flight in enumerate(slots_in(memory)):
        in_flight.take(putting([task(number)]))
    slots_in(memory)[1].begin(0)

    assert [counts(in_flight.leftover()) for in_flight in slots_in(memory)] == [[(0, 0, 0)], [(1, 1, 1)], [(2, 0, 0)]]


def test_a_hand_that_is_moved_is_empty_and_the_other_has_all_that_is_known() -> None:
    left, into = holding(4), new_hand()
    left.begin(0)
    left.answered(1)
    left.begin(1)
    left.requeue(2)

    left.move(into)

    assert counts(into.leftover()) == [(1, 1, 1), (3, 0, 0)]
    assert into.answered_before() == [task(0)]
    assert left.leftover() == left.answered_before() == []
    left.take(putting([task(9)]))
    assert counts(left.leftover()) == [(9, 0, 0)]


def test_a_death_while_a_hand_is_moved_leaves_it_in_one_of_them() -> None:
    for number in itertools.count(1):
        left, into = holding(2), new_hand()
        left.begin(1)

        with death_at_line(number, "ipc/in_flight.py") as was_reached:
            left.move(into)

        assert {(0, 0, 0), (1, 1, 1)} in (set(counts(left.leftover())), set(counts(into.leftover())))
        if not was_reached():
            assert number > 5
            return


def test_an_excuse_takes_back_what_was_begun_and_not_ended_and_only_once() -> None:
    in_flight = holding(3)
    in_flight.begin(0)
    in_flight.end(0)
    in_flight.begin(1)

    in_flight.excuse()
    in_flight.excuse()

    assert [(each.begun, each.deaths) for each in in_flight.leftover()] == [(1, 0), (1, 0), (0, 0)]


def test_an_empty_hand_needs_no_excuse() -> None:
    in_flight = new_hand()

    in_flight.excuse()

    assert in_flight.leftover() == []


# ── a task that takes longer than it may ────────────────────────────────────────────────────────


def test_one_that_had_its_time_is_left_marked_and_beyond_any_limit_of_deaths() -> None:
    in_flight = holding(3)
    in_flight.begin(0)
    in_flight.end(0)
    in_flight.begin(1)

    assert in_flight.expire(1)

    ended, expired, fresh = in_flight.leftover()
    assert (ended.message, expired.message, fresh.message) == (task(0), task(1)._replace(codec=TIMED_OUT), task(2))
    assert (ended.deaths, expired.deaths, fresh.deaths) == (0, 256, 0)


@pytest.mark.parametrize("number", [0, 2, 9], ids=["through", "not begun", "not there"])
def test_only_a_task_that_is_being_handled_can_have_had_its_time(number: int) -> None:
    in_flight = holding(3)
    in_flight.begin(0)
    in_flight.end(0)
    in_flight.begin(1)
    before = in_flight.leftover()

    assert not in_flight.expire(number)
    assert in_flight.leftover() == before


def test_what_is_said_under_the_number_of_a_task_is_not_taken_for_it() -> None:
    in_flight = new_hand()
    in_flight.take(putting([Message(int(Kind.PIPE), 0, 0, 4, b"said"), task(4)]))
    in_flight.begin(0)

    assert not in_flight.expire(4)


def test_in_an_empty_slot_nothing_can_have_had_its_time() -> None:
    in_flight = holding(1)
    in_flight.begin(0)
    in_flight.clear()

    assert not in_flight.expire(0)


def test_the_mark_moves_along() -> None:
    in_flight, into = holding(1), new_hand()
    in_flight.begin(0)
    in_flight.expire(0)

    in_flight.move(into)

    assert [each.deaths for each in into.leftover()] == [256]
