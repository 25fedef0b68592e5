"""engine/worker/tasks.py: what another process left is taken as there is room for it, and none of it is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.callbacks import Callbacks
from engine.events import Events
from engine.ipc.backlog import NOTED_BYTES, Backlog, region_bytes
from engine.ipc.board import Board, Cell, State
from engine.ipc.bodies import Bodies
from engine.ipc.counter import SharedCounter
from engine.ipc.memory import anonymous
from engine.ipc.message import HEAD_BYTES, INLINE_BYTES, PACKET_BYTES, Kind, Message, failure, to_bytes, unpack
from engine.ipc.spill import SpillDirectory
from engine.worker.tasks import Tasks

MAX_BYTES = 2**20
OWN, OTHER = 0, 1
BODY = b"x" * 8000
AS_MANY_AS_FIT = MAX_BYTES // (NOTED_BYTES + HEAD_BYTES + len(BODY))


class Way:
    """Takes everything once it is open."""

    inline_bytes = INLINE_BYTES
    packet_bytes = PACKET_BYTES
    is_shared = False

    def __init__(self) -> None:
        self.is_open = False
        self.sent: list[int] = []

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        if self.is_open:
            self.sent += [message.id for message in unpack(packet)]
        return self.is_open


class EventWorker:
    """Our backlog holds tasks up to the limit, and so does that of the process that is gone."""

    def __init__(self, directory: Path) -> None:
        self.board = Board(1, 1)
        self.board.put(self.board.current(1), Cell.STATE, State.IDLE)
        self.board.put(self.board.current(1), Cell.MEAN_NS, 1000)
        self.own, self.other = (Backlog(anonymous("", region_bytes(MAX_BYTES))) for _ in range(2))
        self.bodies = Bodies(SpillDirectory(directory), OWN)
        self.transport = Way()
        self.tasks = Tasks(
            OWN,
            self.board,
            Callbacks(None, self.events()),
            self.bodies,
            self.own,
            self.transport,  # type: ignore[arg-type]
            SharedCounter(1000),
            MAX_BYTES,
        )
        for number in range(AS_MANY_AS_FIT):
            self.own_id = self.tasks.submit(BODY, -1)
            self.other.append(number, to_bytes(Message(Kind.TASK, 0, OTHER, number, BODY)))

    def events(self) -> Events:
        """That note the ends of tasks."""
        events = Events()
        self.ends: list[tuple[str, int, Any]] = []
        events.register("finish", lambda server, task_id, data: self.ends.append(("finish", task_id, data)))
        events.register("task_error", lambda server, task_id, error: self.ends.append(("task_error", task_id, error)))
        return events

    async def all_is_sent(self) -> None:
        self.transport.is_open = True
        async with asyncio.timeout(10):
            while len(self.own) or len(self.other):
                for task_id in list(self.tasks._scheduler.under_way_at):
                    self.tasks._scheduler.answered(task_id)
                self.tasks.dispatcher.again()
                assert self.tasks.dispatcher.waiting_bytes <= MAX_BYTES
                await asyncio.sleep(0)


def in_a_loop(directory: Path, test: Any) -> None:
    async def run() -> None:
        await test(EventWorker(directory))

    asyncio.run(run())


def test_what_another_left_is_taken_as_room_comes_and_the_limit_holds(tmp_path: Path) -> None:
    async def test(worker: EventWorker) -> None:
        worker.tasks.adopt(worker.other)
        assert len(worker.other) == AS_MANY_AS_FIT
        assert worker.board.get(OTHER, Cell.QUEUE_BYTES) > 0

        await worker.all_is_sent()

        assert sorted(worker.transport.sent) == [*range(AS_MANY_AS_FIT), *range(1000, 1000 + AS_MANY_AS_FIT)]
        assert worker.board.get(OTHER, Cell.QUEUE_BYTES) == 0

    in_a_loop(tmp_path, test)


def test_what_another_left_is_its_successors_once_that_is_there(tmp_path: Path) -> None:
    async def test(worker: EventWorker) -> None:
        worker.tasks.adopt(worker.other)
        worker.board.put(OTHER, Cell.PID, 4711)
        worker.transport.is_open = True
        async with asyncio.timeout(10):
            while len(worker.own):
                for task_id in list(worker.tasks._scheduler.under_way_at):
                    worker.tasks._scheduler.answered(task_id)
                worker.tasks.dispatcher.again()
                await asyncio.sleep(0)

        assert len(worker.other.load()) == AS_MANY_AS_FIT
        assert min(worker.transport.sent) == 1000

    in_a_loop(tmp_path, test)


@pytest.mark.parametrize("count", [2, 3])
def test_the_file_of_a_task_counts_before_it_is_taken(tmp_path: Path, count: int) -> None:
    async def test(worker: EventWorker) -> None:
        worker.own.remove(range(1000, 1000 + AS_MANY_AS_FIT))
        worker.other.remove(range(AS_MANY_AS_FIT))
        for number in range(count):
            message = Bodies(worker.bodies._spill, OTHER).pack(Kind.TASK, number, b"x" * (MAX_BYTES // 3))
            worker.other.append(number, to_bytes(message))

        worker.tasks.adopt(worker.other)

        assert (len(worker.own), len(worker.other)) == (2, count - 2)

    in_a_loop(tmp_path, test)


@pytest.mark.parametrize("answer_is_first", [True, False])
def test_a_task_that_was_sent_before_it_was_adopted_ends_once_and_well_in_whatever_order_its_two_ends_are_heard(
    tmp_path: Path, answer_is_first: bool
) -> None:
    async def test(worker: EventWorker) -> None:
        for number in range(1000, 1000 + AS_MANY_AS_FIT):
            worker.tasks.dispatcher.withdraw(number)
        worker.other.remove(range(1, AS_MANY_AS_FIT))
        worker.tasks.adopt(worker.other)
        worker.transport.is_open = True
        async with asyncio.timeout(10):
            while not worker.tasks.under_way:
                worker.tasks.dispatcher.again()
                await asyncio.sleep(0)

        answer = Message(Kind.FINISH, 0, 2, 0, b"result")  # to the one who sent it first, and took its file along
        missing = Bodies(worker.bodies._spill, OTHER).pack(Kind.BODY_MISSING, 0, failure(FileNotFoundError("gone")))
        ends = [lambda: worker.tasks.answered(answer, True), lambda: worker.tasks.body_missing(missing)]
        for end in ends if answer_is_first else ends[::-1]:
            end()

        assert worker.ends == [("finish", 0, b"result")]
        assert worker.tasks.unanswered == 0

    in_a_loop(tmp_path, test)
