"""What processes say to each other, as bytes. Messages travel in packets, many in one.

packet:   length u32 | message …                                    length counts the whole packet
message:  kind u8 | codec u8 | source u16 | length u32 | id u64 | body     length counts the body
"""

import pickle
import struct
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from engine.errors import TaskFailed

PACKET_HEAD = struct.Struct("=I")
_HEAD = struct.Struct("=BBHIQ")
_pack_head, _unpack_head = _HEAD.pack, _HEAD.unpack_from

INLINE_BYTES = 8 * 1024
"""Largest body that travels in its message; a larger one goes to a file. Swoole's limit."""
PACKET_BYTES = 64 * 1024
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
    RETURNED = 10  # a task that was not begun; body and codec are its own
    LEAVE = 9  # from the manager to an event worker: no answer will come any more


SPILLED = 0x80
"""Added to a codec: the body is the name of the file that holds the real one."""
STAY = 0x40
"""Added to a task's codec: it is for this task worker alone."""
RAW, TEXT, PICKLE = 0, 1, 2


class Message(NamedTuple):
    """One thing said. `source` is the worker id of the process that said it."""

    kind: int
    codec: int
    source: int
    id: int
    body: bytes


def encode(data: Any) -> tuple[int, bytes]:
    """Codec and body of a value: bytes and str as they are, anything else pickled. Raises what pickle raises."""
    if type(data) is bytes:
        return RAW, data
    if type(data) is str:
        return TEXT, data.encode("utf-8", "surrogatepass")
    if isinstance(data, (bytearray, memoryview)):
        return RAW, bytes(data)
    return PICKLE, pickle.dumps(data, protocol=5)


def decode(codec: int, body: bytes) -> Any:
    """The value that `encode` was given. Only for what our own processes wrote: it unpickles."""
    codec &= ~STAY
    if codec == RAW:
        return body
    if codec == TEXT:
        return body.decode("utf-8", "surrogatepass")
    return pickle.loads(body)  # noqa: S301  sockets and files are ours alone, see spill.py


def failure(error: BaseException) -> TaskFailed:
    """What `task_error` receives for an exception; never raises, whatever the exception's `str` does.

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
    kind, codec, source, number, body = message
    return _pack_head(kind, codec, source, len(body), number) + body


def packets(messages: list[bytes]) -> Iterator[bytes]:
    """Packets of at most PACKET_BYTES that hold these messages in order."""
    held: list[bytes] = []
    size = PACKET_HEAD.size
    for message in messages:
        if held and size + len(message) > PACKET_BYTES:
            yield PACKET_HEAD.pack(size) + b"".join(held)
            held, size = [], PACKET_HEAD.size
        held.append(message)
        size += len(message)
    if held:
        yield PACKET_HEAD.pack(size) + b"".join(held)


def unpack(packet: bytes | memoryview) -> list[Message]:
    """The messages of one packet, in order."""
    (end,) = PACKET_HEAD.unpack_from(packet)
    at = PACKET_HEAD.size
    found = []
    while at < end:
        kind, codec, source, length, number = _unpack_head(packet, at)
        at += _HEAD.size
        found.append(Message(kind, codec, source, number, bytes(packet[at : at + length])))
        at += length
    return found
