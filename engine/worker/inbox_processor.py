"""Handles received messages so that a death at any moment loses none of them, and leaves no file."""

from collections.abc import Callable
from typing import Final

from engine.ipc.bodies import Bodies
from engine.ipc.inbox_packet import InboxPacket
from engine.ipc.message import SPILLED, Kind, Message
from engine.log_lines import get_logger

log = get_logger(__name__)

_LAST_END: Final = int(Kind.LOST)
"""Kinds up to this one are answers to tasks."""


class InboxProcessor:
    """Goes through the messages of a packet one by one."""

    def __init__(
        self,
        bodies: Bodies,
        most_deaths: int,
        answered: Callable[[Message, bool], None],
        handle: Callable[[Message, bool], None],
    ) -> None:
        """`answered(message, is_foreign)` handles the answer to a task, `handle` any other message; neither removes its
        file. A message that killed `most_deaths` processes is skipped."""
        self._bodies = bodies
        self._answered = answered
        self._most_deaths = most_deaths
        self._handle = handle

    def process(
        self, inbox_packet: InboxPacket, messages: list[Message], handled: int = 0, *, is_foreign: bool = False
    ) -> None:
        """Handle these messages, the last ones of the packet in `inbox_packet`; `handled` are before them.

        A file goes once its message is noted as handled: the other way round, whoever follows a process that died in
        between would find a message without it.
        """
        answered, handle, note = self._answered, self._handle, inbox_packet.handled
        for message in messages:
            kind, codec = message[0], message[1]
            try:
                if kind <= _LAST_END:
                    answered(message, is_foreign)
                else:
                    handle(message, is_foreign)
            except Exception:
                log.exception("message could not be handled", extra={"kind": kind, "id": message.id})
            handled += 1
            note(handled)
            if codec & SPILLED:
                self._bodies.drop(message)
        inbox_packet.clear()

    def process_leftover(self, inbox_packet: InboxPacket, *, is_foreign: bool = False) -> None:
        """Handle what the process that had the packet in `inbox_packet` did not."""
        messages, handled = inbox_packet.leftover(self._most_deaths)
        for message in inbox_packet.handled_before():
            self._bodies.drop(message)
        self.process(inbox_packet, messages, handled, is_foreign=is_foreign)
