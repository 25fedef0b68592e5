"""Packs values into messages: small ones into the message itself, large ones into a file that it names."""

from typing import Any

from engine.ipc.message import INLINE_BYTES, SPILLED, Kind, Message, decode, encode, frame
from engine.ipc.spill import SpillDirectory


class Bodies:
    """Turns values into messages and back, for one process."""

    def __init__(self, spill: SpillDirectory, place: int) -> None:
        """`place` is that of the process, and stands as source in its messages."""
        self._spill = spill
        self.place = place

    def pack(self, kind: Kind, number: int, data: Any) -> Message:
        """Return a message that holds `data`. Raises what pickle raises, and OSError when a file does not fit."""
        codec, body = encode(data)
        if len(body) > INLINE_BYTES:
            codec, body = codec | SPILLED, self._spill.write(body)
        return Message(kind, codec, self.place, number, body)

    def spill(self, body: bytes) -> bytes:
        """Write a body to a file and return its name. Raises OSError when it does not fit."""
        return self._spill.write(body)

    def unspill(self, file: bytes) -> None:
        """Remove such a file."""
        self._spill.remove(file)

    def frame(self, kind: int, number: int, data: Any, flags: int = 0) -> bytes:
        """Return the bytes of a message that holds `data`; `flags` are added to its codec. Raises as `pack` does."""
        codec, body = encode(data)
        if len(body) > INLINE_BYTES:
            codec, body = codec | SPILLED, self._spill.write(body)
        return frame(kind, codec | flags, self.place, number, body)

    @property
    def files_made(self) -> int:
        """How many files this process wrote."""
        return self._spill.made

    def size(self, file: bytes) -> int:
        """Return the size of a file, bytes; 0 when it is gone."""
        return self._spill.size(file)

    def read(self, message: Message) -> Any:
        """Return the value inside; its file stays."""
        return decode(message.codec & ~SPILLED, self.content(message))

    def content(self, message: Message) -> bytes:
        """Return the body, wherever it is; its file stays. Raises FileNotFoundError when that is gone."""
        return self._spill.read(message.body) if message.codec & SPILLED else message.body

    def drop(self, message: Message) -> None:
        """Remove the file of a message whose value nobody needs any more."""
        if message.codec & SPILLED:
            self._spill.remove(message.body)
