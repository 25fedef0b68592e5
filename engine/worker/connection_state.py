"""The states of a connection, and what changes them. Pure: a table.

Three things happen to a connection independently of each other: its client sends no more, or we stop reading; the
worker pauses it; it ends. A state covers all of them.
"""

from enum import Enum, auto


class Event(Enum):
    """What happens to a connection."""

    PAUSE = auto()  # the worker has too much to do
    RESUME = auto()
    END_OF_STREAM = auto()  # the client sends nothing more, and may wait for answers
    STOP_READING = auto()  # the worker leaves
    LOSE = auto()  # the socket is gone
    END = auto()  # nothing is read or sent from now on


class State(Enum):
    """Frames are handed out in all states but the paused ones and ENDED."""

    OPEN = auto()
    HALF_CLOSED = auto()
    STOPPED = auto()
    LOST = auto()  # its last frames are still to be handed out
    OPEN_PAUSED = auto()
    HALF_CLOSED_PAUSED = auto()
    STOPPED_PAUSED = auto()
    LOST_PAUSED = auto()
    ENDED = auto()

    def __init__(self, *_: object) -> None:
        self.is_paused = self.name.endswith("_PAUSED")
        self.takes_frames = not self.is_paused and self.name != "ENDED"
        self.peer_is_done = self.name.startswith("HALF_CLOSED")


_PAUSED = {
    State.OPEN: State.OPEN_PAUSED,
    State.HALF_CLOSED: State.HALF_CLOSED_PAUSED,
    State.STOPPED: State.STOPPED_PAUSED,
    State.LOST: State.LOST_PAUSED,
}
_FLOWING = {
    (State.OPEN, Event.END_OF_STREAM): State.HALF_CLOSED,
    (State.OPEN, Event.STOP_READING): State.STOPPED,
    (State.OPEN, Event.LOSE): State.LOST,
    (State.HALF_CLOSED, Event.LOSE): State.LOST,
    (State.STOPPED, Event.END_OF_STREAM): State.HALF_CLOSED,
    (State.STOPPED, Event.LOSE): State.LOST,
}
TRANSITIONS: dict[tuple[State, Event], State] = {
    **_FLOWING,
    **{(_PAUSED[state], event): _PAUSED[after] for (state, event), after in _FLOWING.items()},
    **{(state, Event.PAUSE): paused for state, paused in _PAUSED.items()},
    **{(paused, Event.RESUME): state for state, paused in _PAUSED.items()},
    **{(state, Event.END): State.ENDED for state in State},
}
"""An event that is not here changes nothing in that state."""


def after(state: State, event: Event) -> State:
    """Return the state of a connection after this event."""
    return TRANSITIONS.get((state, event), state)
