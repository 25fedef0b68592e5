"""Reads what other processes send to one with an event loop, a packet at a time, where its death cannot take it."""

from functools import partial

from engine.ipc.board import Board, Cell
from engine.ipc.channel import Channel
from engine.ipc.inbox_packet import InboxPacket
from engine.worker.inbox_processor import InboxProcessor

MOST_PACKETS = 64
"""Messages are read in rounds, so that a flood of them leaves all else in the loop its turn."""
_MANY = 8
"""Behind a packet of fewer messages there is seldom another; to look costs more, and the loop says if there is."""


class Inbox:
    """The inbox of one process. Each packet is kept in `packet` until the processor is through with it."""

    def __init__(
        self, board: Board, channel: Channel, number: int, packet: InboxPacket, processor: InboxProcessor
    ) -> None:
        """`number`: which inbox of `channel` it is."""
        self._board = board
        self._channel = channel
        self._receive_into = partial(channel.receive_into, number)
        self._packet = packet
        self._processor = processor
        self.descriptor = channel.readable(number)
        """Readable when there is something to read."""

    def process_leftover(self) -> None:
        """Handle what the process that was here before had taken and not handled."""
        self._processor.process_leftover(self._packet)

    def adopt_leftover(self, packet: InboxPacket) -> None:
        """Handle what the process in the other place, which is gone, had taken and not handled."""
        self._processor.process_leftover(packet, is_foreign=True)

    def read(self, most_packets: int = MOST_PACKETS) -> None:
        """Handle what is there; of a flood a part, the rest at the loop's next turn."""
        packet, process = self._packet, self._processor.process
        for _ in range(most_packets):
            messages = packet.take(self._receive_into)
            if messages is None:
                return
            process(packet, messages)
            if len(messages) < _MANY:
                return

    def read_to_the_end(self) -> None:
        """Handle all that is there while the server stops: nobody follows who would read it."""
        while self._board.is_stopping and (messages := self._packet.take(self._receive_into)) is not None:
            self._processor.process(self._packet, messages)

    def read_other(self, other: int) -> bool:
        """Handle what is in the inbox `other`, that of the other place, while nobody sits there.

        False once somebody does, who reads it himself. Nobody sits down while a packet is taken: it could be for him,
        and to send it on to him would be to have it where our death takes it.
        """
        packet, receive_into = self._packet, partial(self._channel.receive_into, other)
        while True:
            with self._board.seats_locked(other):
                if self._board.get(other, Cell.PID):
                    return False
                messages = packet.take(receive_into)
            if messages is None:
                return True
            self._processor.process(packet, messages, is_foreign=True)
