"""Answers on their way: whatever a death leaves of them, no file stays that nobody was told of."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.ipc.board import Board, Cell
from engine.ipc.bodies import Bodies
from engine.ipc.in_flight import REGION_BYTES, slots_in
from engine.ipc.memory import anonymous
from engine.ipc.message import Kind, unpack
from engine.ipc.spill import SpillDirectory
from engine.task_worker.answers import Answers

EVENT_WORKERS = 2
PLACE = 2 * EVENT_WORKERS
"""The task worker's."""
LARGE = b"x" * 20_000


class Killed(BaseException):
    """What stands for kill -9."""


class Desk:
    """A task worker's answers, the inboxes they go to, and what is on the disk."""

    def __init__(self, directory: Path) -> None:
        self.board = Board(EVENT_WORKERS, 1, 8)
        self.spill = SpillDirectory(directory)
        self.bodies = Bodies(self.spill, PLACE)
        self.sent: list[tuple[int, bytes]] = []
        self.on_send: Callable[[], None] = lambda: None
        """Called before each packet goes."""
        self.answers = Answers(SimpleNamespace(send=self._send), self.bodies, self.board, PLACE)
        (self.in_flight,) = slots_in(anonymous("", REGION_BYTES).view)

    def _send(self, to: int, packet: bytes) -> bool:
        self.on_send()
        self.sent.append((to, packet))
        return True

    def answer(self, to: int, task_id: int) -> None:
        self.answers.add(to, self.bodies.frame(Kind.FINISH, task_id, LARGE))

    def named(self) -> set[str]:
        """The files that somebody was told of."""
        return {message.body.decode() for _, packet in self.sent for message in unpack(packet)}

    def left_by_a_death(self) -> set[str]:
        """The files that are there once whoever follows has cleaned up."""
        self.spill.discard(self.spill.maker, self.board.get(PLACE, Cell.FILES_SENT))
        return {path.name for path in self.spill.path.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_death_between_the_answers_to_two_event_workers_leaves_no_file_that_nobody_knows(
    desk: Desk, dies_at: int
) -> None:
    def die() -> None:
        if len(desk.sent) == dies_at - 1:
            raise Killed

    desk.answer(to=0, task_id=7)
    desk.answer(to=1, task_id=8)
    desk.on_send = die

    with pytest.raises(Killed):
        desk.answers.send(desk.in_flight, 2)

    assert desk.left_by_a_death() <= desk.named()


def test_the_file_of_an_answer_that_another_thread_is_writing_does_not_count_as_told(desk: Desk) -> None:
    desk.answer(to=0, task_id=7)
    desk.on_send = lambda: desk.answer(to=0, task_id=8)

    desk.answers.send(desk.in_flight, 1)

    assert desk.left_by_a_death() == desk.named() != set()


def test_files_of_answers_that_were_sent_stay(desk: Desk) -> None:
    desk.answer(to=0, task_id=7)
    desk.answer(to=1, task_id=8)

    desk.answers.send(desk.in_flight, 2)
    desk.answers.send(desk.in_flight, 3)

    assert desk.left_by_a_death() == desk.named()
    assert len(desk.named()) == 2


def test_a_small_message_does_not_tell_of_answers_that_wait(desk: Desk) -> None:
    desk.answer(to=0, task_id=7)

    desk.answers.post(0, desk.bodies.frame(Kind.SEND, 1, b"small"))

    assert desk.left_by_a_death() == set()


def test_the_file_of_a_large_message_stays_once_that_is_sent(desk: Desk) -> None:
    desk.answers.post(0, desk.bodies.frame(Kind.SEND, 1, LARGE))

    assert desk.left_by_a_death() == desk.named() != set()
