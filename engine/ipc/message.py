"""Encodes and decodes the messages between processes. Messages travel in packets, many in one.

packet:   length u32 | message …
message:  kind u8 | codec u8 | deaths u8 | source u16 | target u16 | length u16 | id u64 | body

The packet's length counts the whole packet, the message's length its body.
"""

import pickle
import struct
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, Final, NamedTuple

from engine.errors import TaskFailed

PACKET_HEAD: Final = struct.Struct("=I")
_HEAD: Final = struct.Struct("=BBBHHHQ")
_pack_head: Final = _HEAD.pack
_unpack_head: Final = _HEAD.unpack_from
HEAD_BYTES: Final = _HEAD.size

INLINE_BYTES: Final = 8 * 1024
"""Largest body that travels in its message; a larger one goes to a file. Swoole's limit."""
PACKET_BYTES: Final = 64 * 1024
"""Largest packet: well below the 208 KiB a unix socket holds by default, so several fit (net.core.wmem_default)."""


class Kind(IntEnum):
    """What a message is about; `id` is the task's, or the connection's for SEND and CLOSE."""

    TASK = 1
    FINISH = 2  # done, with a result
    DONE = 3  # done, without
    FAILED = 4
    LOST = 5  # the body is the number of attempts
    PIPE = 6
    SEND = 7
    CLOSE = 8
    BODY_MISSING = (
        12  # a task whose file is gone: it was done before, or somebody removed the file; a TaskFailed says so
    )


SPILLED: Final = 0x80
"""Added to a codec: the body is the name of the file that holds the real one."""
HAS_WAITER: Final = 0x40
"""Added to the codec of a task and of its answer: not `finish` but a callback or a waiting coroutine wants the end."""
TIMED_OUT: Final = 0x20
"""Added to the codec of a task that took longer than it may: whoever finds it answers that, and does not begin it."""
RAW: Final = 0
TEXT: Final = 1
PICKLE: Final = 2
ANY: Final = 0xFFFF
"""Target of a task that any task worker may do."""


_new: Final = tuple.__new__  # a NamedTuple's own costs twice as much


class Message(NamedTuple):
    """One message between two processes. `source` is the place, see ipc/board.py, of the process that sent it."""

    kind: int
    codec: int
    source: int
    id: int
    body: bytes
    target: int = ANY
    """For a task: the number of the task worker that alone may do it, from 0."""
    deaths: int = 0
    """For a task: how many task workers died with it in hand before it was sent this time."""


def encode(data: Any) -> tuple[int, bytes]:
    """Return codec and body of a value: bytes and str as they are, anything else pickled. Raises what pickle raises."""
    if type(data) is bytes:
        return RAW, data
    if type(data) is str:
        return TEXT, data.encode("utf-8", "surrogatepass")
    if isinstance(data, (bytearray, memoryview)):
        return RAW, bytes(data)
    return PICKLE, pickle.dumps(data, protocol=5)


def decode(codec: int, body: bytes) -> Any:
    """Return the value that `encode` was given. Only for what our own processes wrote: it unpickles."""
    codec &= ~HAS_WAITER
    if codec == RAW:
        return body
    if codec == TEXT:
        return body.decode("utf-8", "surrogatepass")
    return pickle.loads(body)  # noqa: S301  sockets and files are ours alone, see spill.py


def failure(error: BaseException) -> TaskFailed:
    """Return what `task_error` receives for an exception; never raises, whatever the exception's `str` does.

    The text is cut after 700 characters and the traceback keeps its last 1200. With 4 bytes each it still travels
    without a file, which a full disk would refuse.
    """
    text = _told(lambda: str(error))
    trace = _told(lambda: "".join(traceback.format_exception(error)))  # it asks a SyntaxError for its offset, a number
    return TaskFailed(type(error).__qualname__[:60], text[:700], trace[-1200:])


def _told(tell: Callable[[], str]) -> str:
    try:
        return tell()
    except Exception as broken:
        return f"(its text cannot be had: {type(broken).__name__})"


def to_bytes(message: Message) -> bytes:
    """Return the bytes of a message."""
    kind, codec, source, number, body, target, deaths = message
    return _pack_head(kind, codec, deaths, source, target, len(body), number) + body


def frame(kind: int, codec: int, source: int, number: int, body: bytes, target: int = ANY, deaths: int = 0) -> bytes:
    """Return the bytes of a message, without making a Message."""
    return _pack_head(kind, codec, deaths, source, target, len(body), number) + body


def packets(messages: list[bytes], most_bytes: int = PACKET_BYTES) -> Iterator[bytes]:
    """Yield packets of at most `most_bytes` that hold these messages in order."""
    size = PACKET_HEAD.size + sum(map(len, messages))
    if size <= most_bytes:
        yield PACKET_HEAD.pack(size) + b"".join(messages)
        return
    held: list[bytes] = []
    size = PACKET_HEAD.size
    for message in messages:
        if held and size + len(message) > most_bytes:
            yield PACKET_HEAD.pack(size) + b"".join(held)
            held, size = [], PACKET_HEAD.size
        held.append(message)
        size += len(message)
    if held:
        yield PACKET_HEAD.pack(size) + b"".join(held)


def unpack(packet: bytes | memoryview) -> list[Message]:
    """Return the messages of one packet, in order."""
    (end,) = PACKET_HEAD.unpack_from(packet)
    whole = bytes(packet[:end])
    at = PACKET_HEAD.size
    found = []
    while at < end:
        kind, codec, deaths, source, target, length, number = _unpack_head(whole, at)
        at += HEAD_BYTES
        body = whole[at : at + length]
        found.append(_new(Message, (kind, codec, source, number, body, target, deaths)))
        at += length
    return found


def message_at(memory: memoryview, at: int) -> Message:
    """Return the message that begins at `at`."""
    kind, codec, deaths, source, target, length, number = _unpack_head(memory, at)
    body = bytes(memory[at + HEAD_BYTES : at + HEAD_BYTES + length])
    return Message(kind, codec, source, number, body, target, deaths)


EMPTY_PACKET = PACKET_HEAD.pack(PACKET_HEAD.size)
"""Holds no message; it is sent to wake a process that waits for a packet."""
