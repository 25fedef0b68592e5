"""Sends answers to the event workers that asked, several together."""

import select

from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel
from engine.ipc.in_flight import InFlight
from engine.ipc.message import SPILLED, Message, packets

_NOBODY_READS_S = 1.0


class Answers:
    """Collects answers, sends them, and only then removes the files of what they answer.

    One thread adds, and whoever holds the lock, see requeuer.py, sends.
    """

    def __init__(self, channel: Channel, bodies: Bodies, board: Board, place: int) -> None:
        self._channel = channel
        self._bodies = bodies
        self._cells = board.cells
        self._files_sent = board.row(place) + Cell.FILES_SENT
        self._ready: list[list[bytes]] = [[] for _ in board.event_places]
        self._dealt_with: list[tuple[int, Message]] = []

    def add(self, to: int, answer: bytes) -> None:
        """Add an answer for the event worker in place `to`."""
        self._ready[to].append(answer)

    def put_aside(self, place: int, message: Message) -> None:
        """Note that the message at this place of the packet is handled; call it after `add`.

        Its file is removed once that is noted in flight; before, it would be missing after a death.
        """
        if message.codec & SPILLED:
            self._dealt_with.append((place, message))

    def send(self, in_flight: InFlight, answered: int) -> None:
        """Send what is ready, and note that the first `answered` messages of the packet are answered."""
        dealt_with = self._dealt_with[:]  # before the answers: while another thread adds, we may have more of those
        for to, ready in enumerate(self._ready):
            if count := len(ready):
                answers = ready[:count]
                del ready[:count]
                for packet in packets(answers):
                    self.push(to, packet)
        in_flight.answered(answered)
        for each in dealt_with:
            place, message = each
            if place < answered:
                self._bodies.drop(message)
                self._dealt_with.remove(each)

    def push(self, inbox: int, packet: bytes) -> None:
        """Send a packet, waiting while the inbox is full: an event worker reads its inbox as long as it lives."""
        while not self._channel.send(inbox, packet):
            poll = select.poll()
            poll.register(self._channel.writable(inbox), select.POLLOUT)
            poll.poll(_NOBODY_READS_S * 1000)
        self._cells[self._files_sent] = self._bodies.files_made
