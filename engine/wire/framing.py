"""Cuts a byte stream into frames. Pure: fed bytes in any cut, it gives the same frames."""

import struct
from typing import Protocol

from engine.errors import BadFrameLength, UsageError
from engine.settings import LENGTH_TYPES, Settings


class Framing(Protocol):
    """One connection's view of its stream."""

    @property
    def is_begun(self) -> bool:
        """Whether the last frame is incomplete."""

    @property
    def held_bytes(self) -> int:
        """How many of the bytes that arrived are kept."""

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""

    def drop(self) -> None:
        """Drop what is kept: no other frame will be asked for."""

    def next_frame(self) -> bytes | None:
        """Return the next whole frame, header included; None until more is fed. Raises ProtocolError for good."""


class Raw:
    """No frames: `receive` gets the bytes as they arrive."""

    def __init__(self) -> None:
        self._data = b""

    @property
    def is_begun(self) -> bool:
        return False

    @property
    def held_bytes(self) -> int:
        return len(self._data)

    def drop(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data += data

    def next_frame(self) -> bytes | None:
        data, self._data = self._data, b""
        return data or None


class LengthPrefixed:
    """`… | length | …`: the frame ends `length` bytes after `package_body_offset`.

    A length is judged as soon as it is there, before anything is kept for the body.
    """

    def __init__(self, settings: Settings) -> None:
        self._length = struct.Struct(LENGTH_TYPES[settings.package_length_type])
        self._length_at = settings.package_length_offset
        self._header_bytes = self._length_at + self._length.size
        self._body_at = settings.package_body_offset
        self._max_bytes = settings.package_max_length
        self._buffer = bytearray()
        self._start = 0  # frames before it were handed out; cutting the buffer once per feed keeps it linear

    @property
    def is_begun(self) -> bool:
        return self._start < len(self._buffer)

    @property
    def held_bytes(self) -> int:
        return len(self._buffer)

    def drop(self) -> None:
        self._buffer, self._start = bytearray(), 0

    def feed(self, data: bytes) -> None:
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_frame(self) -> bytes | None:
        have = len(self._buffer) - self._start
        if have < self._header_bytes:
            return None
        (counted,) = self._length.unpack_from(self._buffer, self._start + self._length_at)
        frame_bytes = self._body_at + counted
        if not self._header_bytes <= frame_bytes <= self._max_bytes or counted < 0:
            head = bytes(self._buffer[self._start : self._start + 16])
            raise BadFrameLength(frame_bytes, self._max_bytes, head)
        if have < frame_bytes:
            return None
        end = self._start + frame_bytes
        frame = bytes(memoryview(self._buffer)[self._start : end])
        self._start = end
        if have == frame_bytes:
            self.drop()
        return frame


class EofDelimited:
    """Frames end with `package_eof`, which is part of them.

    With `split` each frame is cut off at its own end (`open_eof_split`). Without, a frame is everything that is there
    once the last bytes are the delimiter (`open_eof_check`): cheaper, and several may come as one.
    """

    def __init__(self, settings: Settings, *, split: bool) -> None:
        self._eof = settings.package_eof
        self._split = split
        self._max_bytes = settings.package_max_length
        self._buffer = bytearray()
        self._searched = 0  # no delimiter begins before it, so a long frame is searched once, not at each byte

    @property
    def is_begun(self) -> bool:
        return bool(self._buffer)

    @property
    def held_bytes(self) -> int:
        return len(self._buffer)

    def drop(self) -> None:
        self._buffer, self._searched = bytearray(), 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_frame(self) -> bytes | None:
        if self._split:
            at = self._buffer.find(self._eof, self._searched)
            end = at + len(self._eof) if at >= 0 else 0
        else:
            end = len(self._buffer) if self._buffer.endswith(self._eof) else 0
        if (end or len(self._buffer)) > self._max_bytes:
            raise BadFrameLength(end or len(self._buffer), self._max_bytes, bytes(self._buffer[:16]))
        if not end:
            self._searched = max(0, len(self._buffer) - len(self._eof) + 1)
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return frame


def framing_for(settings: Settings) -> Framing:
    """Make the framing of these settings, for one new connection."""
    if settings.open_length_check:
        return LengthPrefixed(settings)
    if settings.open_eof_split or settings.open_eof_check:
        return EofDelimited(settings, split=settings.open_eof_split)
    return Raw()


def to_frame(settings: Settings, body: bytes) -> bytes:
    """Return a body as one frame of these settings. Raises UsageError where it cannot be one: it is too long, holds the
    delimiter, or the header has more than a length, which only the program can fill in."""
    if not settings.open_length_check:
        eof = settings.package_eof if settings.open_eof_split or settings.open_eof_check else b""
        frame = body + eof
        if settings.open_eof_split and frame.find(eof) < len(body):
            raise UsageError(f"a body that holds {eof!r} would arrive as two frames")
    else:
        length = struct.Struct(LENGTH_TYPES[settings.package_length_type])
        if settings.package_length_offset or settings.package_body_offset > length.size:
            raise UsageError("the header holds more than a length; make the frame, and use send_raw()")
        counted = length.size + len(body) - settings.package_body_offset
        try:
            frame = length.pack(counted) + body
        except struct.error:
            raise UsageError(f"a length of {counted} does not fit {settings.package_length_type!r}") from None
    if len(frame) > settings.package_max_length:
        raise UsageError(f"a frame of {len(frame)} bytes, allowed is up to {settings.package_max_length}")
    return frame


def guess(head: bytes) -> str:
    """Guess from its first bytes what a stream that breaks our framing is; '' when there is no telling."""
    if head[:2] == b"\x16\x03":  # a TLS record: handshake, version 3.x; RFC 8446 section 5.1
        return "looks like TLS"
    if head.split(b" ", 1)[0] in {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PRI"}:
        return "looks like HTTP"
    if head[:1] in (b"{", b"["):
        return "looks like JSON without its length"
    return ""
