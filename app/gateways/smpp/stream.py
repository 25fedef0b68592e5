"""Cuts what arrives into PDUs, whatever pieces it arrives in. Pure.

command_length u32 | command_id u32 | command_status u32 | sequence_number u32 | body, big-endian; the length counts
all of it
"""

import struct

from app.gateways.smpp.errors import BadLength

HEADER = struct.Struct(">IIII")
MAX_PDU_BYTES = 2**16
"""Room for a message_payload of 64,000 bytes, the largest that the standard has."""
_LENGTH = struct.Struct(">I")

Frame = tuple[int, int, int, bytes]
"""Command id, status, sequence number and body of a PDU: its fields are not looked at yet."""


class PduStream:
    """One side of a link. A length is judged as soon as it is there; of what comes, at most one PDU is kept."""

    def __init__(self, max_bytes: int = MAX_PDU_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._needed = _LENGTH.size
        """How many bytes must be there before anything new can be said."""
        self.broken: BadLength | None = None
        """Set once a header announced what cannot be; nothing comes out any more."""

    @property
    def held_bytes(self) -> int:
        """How many of the bytes that arrived are kept."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """The PDUs that are complete by this."""
        frames: list[Frame] = []
        if self.broken:
            return frames
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return frames
            data = bytes(self._rest)
        at, end = 0, len(data)
        header, most = HEADER.unpack_from, self._max_bytes
        self._needed = _LENGTH.size
        while end - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if not HEADER.size <= length <= most:
                self.broken = BadLength(length, most)
                at = end
                break
            if end - at < length:
                self._needed = length
                break
            _, command, status, sequence = header(data, at)
            frames.append((command, status, sequence, data[at + 16 : at + length]))
            at += length
        self._rest = bytearray(data[at:])
        return frames
