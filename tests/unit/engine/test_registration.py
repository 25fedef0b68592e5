"""engine/registration.py: what a type checker is told of each event."""

from collections import defaultdict
from typing import Any, get_args, get_overloads, get_type_hints

import pytest

from engine.events import EVENTS
from engine.registration import Registration


def callbacks() -> dict[str, list[Any]]:
    """The types of callbacks that `on` takes, as a call and as a decorator, by the spellings of events."""
    found = defaultdict(list)
    for overload in get_overloads(Registration.on):
        types = get_type_hints(overload)
        as_call, given_back = types.get("callback"), get_args(types["return"])[-1]
        for spelling in get_args(types["event"]):
            found[spelling].append(as_call or given_back.__bound__)
    return found


CALLBACKS = callbacks()


def test_every_event_is_known_in_our_spelling_and_in_swooles() -> None:
    assert CALLBACKS.keys() == {*EVENTS, *(name.title().replace("_", "") for name in EVENTS)}


@pytest.mark.parametrize("spelling", CALLBACKS)
def test_a_callback_is_typed_alike_in_both_forms_with_as_many_arguments_as_its_event_has(spelling: str) -> None:
    event = next(name for name in EVENTS if name.replace("_", "") == spelling.replace("_", "").lower())

    as_call, as_decorator = CALLBACKS[spelling]

    (_, *arguments), _ = get_args(as_call)
    assert get_args(as_decorator)[0][1:] == arguments
    assert len(arguments) + 1 == len(EVENTS[event].split(", "))
