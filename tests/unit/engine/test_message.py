"""engine/ipc/message.py: what one process says is what another hears."""

import pickle
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import TaskFailed, TaskLost
from engine.ipc.message import (
    INLINE_BYTES,
    PACKET_BYTES,
    PICKLE,
    RAW,
    TEXT,
    Message,
    decode,
    encode,
    failure,
    packets,
    to_bytes,
    unpack,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)
messages = st.builds(
    Message,
    kind=st.integers(0, 255),
    codec=st.integers(0, 255),
    source=st.integers(0, 65_535),
    target=st.integers(0, 65_535),
    deaths=st.integers(0, 255),
    id=st.integers(0, 2**64 - 1),
    body=st.binary(max_size=50) | st.sampled_from([b"x" * INLINE_BYTES, b"y" * 5000]),
)


class Bytes(bytes):
    """More than bytes, so it must not arrive as less."""


@given(values)
@example("\ud800 a lone surrogate")
@example("𠮷")
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    codec, body = encode(value)

    got = decode(codec, body)

    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("value", "codec"),
    [(b"raw", RAW), (bytearray(b"raw"), RAW), (memoryview(b"raw"), RAW), ("text", TEXT), (7, PICKLE)],
)
def test_bytes_and_text_travel_as_they_are_and_the_rest_pickled(value: Any, codec: int) -> None:
    assert encode(value)[0] == codec


def test_a_subclass_of_bytes_keeps_its_class() -> None:
    assert type(decode(*encode(Bytes(b"x")))) is Bytes


@given(st.lists(messages, max_size=40))
def test_messages_come_out_of_their_packets_in_order(said: list[Message]) -> None:
    heard = [message for packet in packets([to_bytes(each) for each in said]) for message in unpack(packet)]

    assert heard == said


@given(st.lists(messages, max_size=40))
def test_no_packet_is_larger_than_a_packet_may_be(said: list[Message]) -> None:
    assert all(len(packet) <= PACKET_BYTES for packet in packets([to_bytes(each) for each in said]))


def test_many_small_messages_travel_in_one_packet() -> None:
    small = to_bytes(Message(1, 0, 0, 7, b"x" * 100))

    assert len(list(packets([small] * 64))) == 1


def test_a_packet_is_read_from_a_larger_buffer_too() -> None:
    said = [Message(1, 0, 3, 9, b"body")]
    (packet,) = packets([to_bytes(each) for each in said])

    assert unpack(memoryview(packet + b"what stood here before")) == said


# ── failures ────────────────────────────────────────────────────────────────────────────────────


class Mute(Exception):
    """Cannot be told in words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unpicklable(Exception):
    def __reduce__(self) -> str:
        raise TypeError("stays here")


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as same:
        return same


def test_a_failure_tells_type_text_and_traceback() -> None:
    got = failure(caught(ValueError("seven")))

    assert (got.type_name, got.text) == ("ValueError", "seven")
    assert "in caught" in got.traceback
    assert str(got) == "ValueError: seven"


@pytest.mark.parametrize(
    "error",
    [
        Mute(),
        Unpicklable("lambda", lambda: None),
        SyntaxError("bad", ("file", "line", "offset", object())),
        ExceptionGroup("many", [ValueError("one"), Mute()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_can_be_had_and_pickled_whatever_was_raised(error: Exception) -> None:
    got = failure(caught(error))

    again = pickle.loads(pickle.dumps(got))

    assert again.type_name == type(error).__name__
    assert isinstance(again.text, str)


@pytest.mark.parametrize("letter", ["a", "客", "𠮷", "\ud800", "'", "\\"])
def test_a_failure_travels_without_a_file_however_long_its_text(letter: str) -> None:
    long_name = type(letter * 50 if letter.isidentifier() else "E" * 50_000, (Exception,), {})
    _, body = encode(failure(caught(long_name(letter * 100_000))))

    assert len(body) <= INLINE_BYTES


@pytest.mark.parametrize("error", [TaskFailed("ValueError", "text", "trace"), TaskLost(7, 3)])
def test_an_error_about_a_task_can_be_pickled(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_the_head_of_a_message_is_seventeen_bytes() -> None:
    assert len(to_bytes(Message(1, 0, 0, 0, b""))) == struct.calcsize("=BBBHHHQ") == 17
