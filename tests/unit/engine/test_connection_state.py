"""engine/worker/connection_state.py: every state, and what each event makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.worker.connection_state import Event, State, after

EVENTS = st.lists(st.sampled_from(list(Event)), max_size=12)


def state_after(*events: Event) -> State:
    state = State.OPEN
    for event in events:
        state = after(state, event)
    return state


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), State.OPEN),
        ((Event.PAUSE,), State.OPEN_PAUSED),
        ((Event.PAUSE, Event.PAUSE, Event.RESUME), State.OPEN),
        ((Event.END_OF_STREAM,), State.HALF_CLOSED),
        ((Event.END_OF_STREAM, Event.PAUSE, Event.LOSE, Event.RESUME), State.LOST),
        ((Event.STOP_READING, Event.PAUSE), State.STOPPED_PAUSED),
        ((Event.STOP_READING, Event.END_OF_STREAM), State.HALF_CLOSED),
        ((Event.END_OF_STREAM, Event.STOP_READING), State.HALF_CLOSED),
        ((Event.LOSE, Event.STOP_READING), State.LOST),
        ((Event.LOSE, Event.END_OF_STREAM), State.LOST),
        ((Event.PAUSE, Event.END, Event.RESUME), State.ENDED),
    ],
)
def test_events_lead_to_the_state_that_tells_of_all_of_them(events: tuple[Event, ...], expected: State) -> None:
    assert state_after(*events) is expected


@given(EVENTS, EVENTS)
def test_what_ended_stays_ended(before: list[Event], later: list[Event]) -> None:
    assert state_after(*before, Event.END, *later) is State.ENDED


@given(EVENTS)
def test_a_connection_is_paused_after_a_pause_and_not_after_a_resume(events: list[Event]) -> None:
    lives = Event.END not in events

    assert state_after(*events, Event.PAUSE).is_paused is lives
    assert not state_after(*events, Event.RESUME).is_paused


@given(EVENTS)
def test_frames_are_handed_out_unless_it_is_paused_or_ended(events: list[Event]) -> None:
    state = state_after(*events)

    assert state.takes_frames is (not state.is_paused and state is not State.ENDED)


@given(EVENTS)
def test_a_socket_that_is_gone_does_not_come_back(events: list[Event]) -> None:
    assert state_after(Event.LOSE, *events) in (State.LOST, State.LOST_PAUSED, State.ENDED)
