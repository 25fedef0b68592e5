"""Sends answers to the event workers that asked, several together."""

import select

from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.channel import Channel
from engine.ipc.in_flight import InFlight
from engine.ipc.message import SPILLED, Message, message_at, packets

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
        self._files_added = 0
        """How many of the files that this process wrote are named by answers that were added, or by what was posted."""

    def add(self, to: int, answer: bytes) -> None:
        """Add an answer for the event worker in place `to`."""
        self._ready[to].append(answer)
        self._files_added = self._bodies.files_made

    def put_aside(self, place: int, message: Message) -> None:
        """Note that the message at this place of the packet is handled; call it after `add`.

        Its file is removed once that is noted in flight; before, it would be missing after a death.
        """
        if message.codec & SPILLED:
            self._dealt_with.append((place, message))

    def send(self, in_flight: InFlight, answered: int) -> None:
        """Send what is ready, and note that the first `answered` messages of the packet are answered.

        Files count as told once all answers are sent, and before these are noted as answered: a death in between leaves
        the tasks to be done again, with files of their own, and whoever follows removes these.
        """
        files = self._files_added  # before the answers, as well
        dealt_with = self._dealt_with[:]  # before the answers: while another thread adds, we may have more of those
        for to, ready in enumerate(self._ready):
            if count := len(ready):
                answers = ready[:count]
                del ready[:count]
                for packet in packets(answers):
                    self._push(to, packet)
        self._tell_of_files(files)
        in_flight.answered(answered)
        for each in dealt_with:
            place, message = each
            if place < answered:
                self._bodies.drop(message)
                self._dealt_with.remove(each)

    def post(self, to: int, message: bytes) -> None:
        """Send a message that is no answer, at once."""
        files = self._bodies.files_made
        for packet in packets([message]):
            self._push(to, packet)
        if message_at(memoryview(message), 0).codec & SPILLED:
            self._tell_of_files(files)

    def _tell_of_files(self, count: int) -> None:
        """Note that others were told of the first `count` files that this process wrote."""
        self._cells[self._files_sent] = max(self._cells[self._files_sent], count)

    def _push(self, inbox: int, packet: bytes) -> None:
        """Send a packet, waiting while the inbox is full: an event worker reads its inbox as long as it lives."""
        while not self._channel.send(inbox, packet):
            poll = select.poll()
            poll.register(self._channel.writable(inbox), select.POLLOUT)
            poll.poll(_NOBODY_READS_S * 1000)
