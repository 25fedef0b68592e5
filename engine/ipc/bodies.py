"""What a message carries: small values in the message itself, large ones in a file that it names."""

from typing import Any

from engine.ipc.message import INLINE_BYTES, SPILLED, Kind, Message, decode, encode
from engine.ipc.spill import SpillDirectory


class Bodies:
    """Turns values into messages and back, for one process."""

    def __init__(self, spill: SpillDirectory, worker_id: int) -> None:
        self._spill = spill
        self._worker_id = worker_id

    def pack(self, kind: Kind, number: int, data: Any) -> Message:
        """A message that holds `data`. Raises what pickle raises, and OSError when a file does not fit."""
        codec, body = encode(data)
        if len(body) > INLINE_BYTES:
            codec, body = codec | SPILLED, self._spill.write(body)
        return Message(kind, codec, self._worker_id, number, body)

    def read(self, message: Message) -> Any:
        """The value inside; its file stays."""
        if not message.codec & SPILLED:
            return decode(message.codec, message.body)
        return decode(message.codec & ~SPILLED, self._spill.read(message.body))

    def fetch(self, message: Message) -> Message:
        """The message with its body in it; a file that held it is removed. Raises FileNotFoundError when it is gone."""
        if not message.codec & SPILLED:
            return message
        body = self._spill.read(message.body)
        self.drop(message)
        return message._replace(codec=message.codec & ~SPILLED, body=body)

    def take(self, message: Message) -> Any:
        """The value inside; its file is not needed any more."""
        return self.read(self.fetch(message))

    def drop(self, message: Message) -> None:
        """Nobody needs the value inside any more."""
        if message.codec & SPILLED:
            self._spill.remove(message.body)
