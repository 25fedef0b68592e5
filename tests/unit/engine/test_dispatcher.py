"""engine/worker/dispatcher.py: what waits is sent in order, once there is room, and nothing is forgotten before."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TaskQueueFull
from engine.ipc.backlog import NOTED_BYTES, Backlog, region_bytes
from engine.ipc.board import Board, Cell, State
from engine.ipc.bodies import Bodies
from engine.ipc.memory import anonymous
from engine.ipc.message import HEAD_BYTES, INLINE_BYTES, PACKET_BYTES, SPILLED, Kind, to_bytes, unpack
from engine.ipc.spill import SpillDirectory
from engine.worker.dispatcher import Dispatcher
from engine.worker.scheduler import QUICK_NS, Scheduler

MAX_BYTES = 100_000


class Way:
    """Takes packets while `room` lasts, and notes what is in the backlog at that moment."""

    inline_bytes = INLINE_BYTES
    packet_bytes = PACKET_BYTES
    is_shared = False

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self.room = 1_000_000
        self.sent: list[tuple[int, bool, list[int]]] = []
        self.forgotten: list[int] = []
        """Tasks that were not in the backlog any more when they were sent."""

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        if not self.room:
            return False
        self.room -= 1
        assert len(packet) <= self.packet_bytes
        ids = [message.id for message in unpack(packet)]
        self.forgotten += [each for each in ids if each not in self.backlog]
        self.sent.append((number, is_named, ids))
        return True


class EventWorkerState:
    """One event worker's, with quick task workers, all idle."""

    def __init__(
        self, directory: Path, task_workers: int = 1, max_bytes: int = MAX_BYTES, concurrency: int = 0
    ) -> None:
        self.board = Board(1, task_workers, concurrency=concurrency)
        for number in range(task_workers):
            self.put(number, Cell.STATE, State.IDLE)
            self.put(number, Cell.MEAN_NS, QUICK_NS // 100)
        self.backlog = Backlog(anonymous("", region_bytes(max_bytes)))
        self.scheduler = Scheduler(task_workers)
        self.bodies = Bodies(SpillDirectory(directory), 0)
        self.transport = Way(self.backlog)
        self.dispatcher = Dispatcher(
            0, self.board, self.scheduler, self.backlog, self.bodies, self.transport, max_bytes
        )  # type: ignore[arg-type]
        self.heard: list[str] = []
        self.dispatcher.pause_clients = lambda: self.heard.append("hold")
        self.dispatcher.resume_clients = lambda: self.heard.append("go on")
        self.submitted = 0

    def put(self, number: int, cell: Cell, value: int) -> None:
        self.board.put(self.board.current(1 + number), cell, value)

    def submit(self, data: Any = b"body", target: int = -1) -> int:
        task_id, self.submitted = self.submitted, self.submitted + 1
        self.dispatcher.check_room(len(data))
        message = self.bodies.pack(Kind.TASK, task_id, data)
        self.backlog.append(task_id, to_bytes(message))
        self.scheduler.submit(task_id, target)
        self.dispatcher.came_in(task_id, message.body if message.codec & SPILLED else None)
        return task_id

    def answer(self, *ids: int) -> None:
        for each in ids:
            self.scheduler.answered(each)
        self.dispatcher.again()

    @property
    def sent(self) -> list[int]:
        return [each for _, _, ids in self.transport.sent for each in ids]


async def turn() -> None:
    """Let what is to happen at the end of this turn happen."""
    await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110  nobody tells; pytest-timeout ends it
        await asyncio.sleep(0.001)


# ── out ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_tasks_of_one_turn_travel_together_and_are_kept_until_they_are_sent(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        for _ in range(20):
            state.submit()
        assert state.transport.sent == []
        await turn()
        return state

    state = asyncio.run(act())

    assert state.transport.sent == [(0, False, list(range(20)))]
    assert state.transport.forgotten == []
    assert (len(state.backlog), state.dispatcher.waiting_bytes) == (0, 0)
    assert state.scheduler.counts == [20]


@pytest.mark.parametrize(
    ("is_shared", "room", "under_way", "expected"),
    [
        pytest.param(False, 3, 0, [0, 1, 2], id="as many as it says"),
        pytest.param(False, 3, 2, [0, 1], id="less those that it did not see yet"),
        pytest.param(False, 0, 0, [], id="none when it says so"),
        pytest.param(True, 3, 4, [0, 1, 2], id="in a queue others may have taken those"),
    ],
)
def test_a_task_worker_of_coroutines_that_is_busy_gets_more_each_in_a_packet_of_its_own(
    tmp_path: Path, is_shared: bool, room: int, under_way: int, expected: list[int]
) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path, concurrency=4)
        state.transport.is_shared = is_shared
        state.put(0, Cell.STATE, State.BUSY)
        state.put(0, Cell.CREDIT, room)
        state.scheduler.counts[0] = under_way
        for _ in range(5):
            state.submit()
        await turn()
        state.dispatcher.is_stopped = True
        return state

    state = asyncio.run(act())

    assert state.transport.sent == [(0, False, [each]) for each in expected]
    assert len(state.backlog) == 5 - len(expected)


@pytest.mark.parametrize("target", [-1, 0])
def test_a_task_that_is_withdrawn_is_not_sent(tmp_path: Path, target: int) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        for _ in range(3):
            state.submit(b"x" * 10_000, target)
        state.dispatcher.withdraw(1)
        await turn()
        return state

    state = asyncio.run(act())

    assert sorted(state.sent) == [0, 2]
    assert (len(state.backlog), state.dispatcher.waiting_bytes) == (0, 0)


def test_a_packet_is_no_larger_than_the_way_takes(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        state.transport.packet_bytes = 3000
        for _ in range(20):
            state.submit(b"x" * 900)
        await turn()
        return state

    state = asyncio.run(act())

    assert [ids for _, _, ids in state.transport.sent] == [
        [first, first + 1, first + 2][: 20 - first] for first in range(0, 20, 3)
    ]
    assert state.transport.forgotten == []


def test_a_full_way_keeps_the_order_and_loses_nothing(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        state.transport.packet_bytes, state.transport.room = 3000, 2
        for _ in range(20):
            state.submit(b"x" * 900)
        await turn()
        assert state.sent == list(range(6))
        assert [each.id for each in state.backlog.load()] == list(range(6, 20))
        for _ in range(10):
            state.submit(b"x" * 900)
        state.transport.room = 1
        await until(lambda: len(state.sent) > 6)
        assert len(state.backlog) == 30 - len(state.sent)
        state.transport.room = 1000
        await until(lambda: not len(state.backlog))
        return state

    state = asyncio.run(act())

    assert state.sent == list(range(30))
    assert state.transport.forgotten == []


def test_what_fails_on_the_way_to_one_is_tried_again_and_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path, task_workers=3)
        take, failures = state.transport.send, iter([OSError("no memory")] * 3)

        def send(number: int, packet: bytes, *, is_named: bool) -> bool:
            if number == 1 and (failure := next(failures, None)):
                raise failure
            return take(number, packet, is_named=is_named)

        state.transport.send = send  # type: ignore[method-assign]
        for target in (0, 1, 2, 1):
            state.submit(target=target)
        await turn()
        assert sorted(state.sent) == [0, 2]
        await until(lambda: not len(state.backlog))
        return state

    state = asyncio.run(act())

    assert state.transport.sent[2:] == [(1, True, [1, 3])]
    assert [each.getMessage() for each in caplog.records] == [
        "tasks could not be sent, trying again (reason='no memory')"
    ]


def test_a_full_way_of_one_does_not_hold_up_another(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path, task_workers=2)
        take = state.transport.send
        state.transport.send = lambda number, packet, *, is_named: (
            bool(number) and take(number, packet, is_named=is_named)
        )  # type: ignore[method-assign]
        for _ in range(3):
            state.submit(target=0)
            state.submit(target=1)
        await turn()
        return state

    state = asyncio.run(act())

    assert state.transport.sent == [(1, True, [1, 3, 5])]
    assert [each.id for each in state.backlog.load()] == [0, 2, 4]


def test_when_stopped_everything_stays_where_it_is(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        state.submit()
        state.dispatcher.is_stopped = True
        await turn()
        return state

    state = asyncio.run(act())

    assert state.transport.sent == []
    assert len(state.backlog) == 1


def test_a_task_waits_while_all_are_in_long_ones_and_goes_when_one_is_free(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        state.put(0, Cell.STATE, State.BUSY)
        state.put(0, Cell.SINCE_NS, 1)
        state.put(0, Cell.MEAN_NS, 10**9)
        state.submit()
        await turn()
        assert state.transport.sent == []
        state.put(0, Cell.STATE, State.IDLE)
        await until(lambda: state.transport.sent)
        return state

    assert asyncio.run(act()).sent == [0]


def test_while_another_event_worker_gives_out_tasks_this_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act() -> None:
        state = EventWorkerState(tmp_path)
        locks = iter([False, False, True])
        monkeypatch.setattr(state.board, "try_lock", lambda: next(locks))
        state.submit()
        await turn()
        await turn()
        assert state.sent == []
        await turn()
        assert state.sent == [0]

    asyncio.run(act())


# ── how much waits ──────────────────────────────────────────────────────────────────────────────


def filled(state: EventWorkerState, to_bytes: int) -> None:
    while state.dispatcher.waiting_bytes + NOTED_BYTES + HEAD_BYTES + 1000 <= to_bytes:
        state.submit(b"x" * 1000)


def test_clients_are_held_at_three_quarters_and_go_on_at_half(tmp_path: Path) -> None:
    async def act() -> None:
        state = EventWorkerState(tmp_path)
        state.transport.packet_bytes, state.transport.room = 1100, 0
        filled(state, MAX_BYTES * 3 // 4)
        assert state.heard == []
        state.submit(b"x" * 1000)
        assert state.heard == ["hold"]
        assert state.board.get(0, Cell.QUEUE_BYTES) == state.dispatcher.waiting_bytes > MAX_BYTES * 3 // 4
        state.submit(b"x" * 1000)
        await turn()
        assert state.heard == ["hold"], "once"

        def send_one() -> None:
            state.transport.room = 1
            state.dispatcher.again()

        while state.heard == ["hold"]:
            assert state.dispatcher.waiting_bytes > MAX_BYTES // 2
            send_one()
            await until(lambda: state.transport.room == 0)
        assert state.heard == ["hold", "go on"]
        assert state.dispatcher.waiting_bytes <= MAX_BYTES // 2

    asyncio.run(act())


def test_clients_are_held_again_when_it_fills_again(tmp_path: Path) -> None:
    async def act() -> list[str]:
        state = EventWorkerState(tmp_path)
        for _ in range(2):
            state.transport.room = 0
            filled(state, MAX_BYTES)
            state.transport.room = 1000
            await until(lambda: not state.dispatcher.waiting_bytes or state.answer(*state.sent))
        return state.heard

    assert asyncio.run(act()) == ["hold", "go on"] * 2


def test_a_task_beyond_the_limit_is_refused_with_the_numbers(tmp_path: Path) -> None:
    async def act() -> None:
        state = EventWorkerState(tmp_path)
        state.dispatcher.is_stopped = True
        filled(state, MAX_BYTES - 1000)  # so that there is room for one more
        waits = state.dispatcher.waiting_bytes
        room = MAX_BYTES - waits - NOTED_BYTES - HEAD_BYTES

        with pytest.raises(TaskQueueFull) as refused:
            state.submit(b"x" * (room + 1))
        state.submit(b"x" * room)

        assert (refused.value.waiting_bytes, refused.value.limit_bytes) == (waits, MAX_BYTES)
        assert state.dispatcher.waiting_bytes == MAX_BYTES

    asyncio.run(act())


def test_tasks_without_a_body_are_bounded_by_what_is_noted_of_them(tmp_path: Path) -> None:
    async def act() -> int:
        state = EventWorkerState(tmp_path)
        state.dispatcher.is_stopped = True
        with pytest.raises(TaskQueueFull):
            for _ in range(MAX_BYTES):
                state.submit(b"")
        return len(state.backlog)

    assert asyncio.run(act()) == MAX_BYTES // (NOTED_BYTES + HEAD_BYTES)


def test_an_empty_backlog_takes_one_task_of_any_size_and_then_no_second(tmp_path: Path) -> None:
    async def act() -> None:
        state = EventWorkerState(tmp_path)
        state.dispatcher.is_stopped = True

        state.submit(b"x" * 3 * MAX_BYTES)

        with pytest.raises(TaskQueueFull):
            state.submit(b"")
        assert state.bodies._spill.count() == 1
        assert state.heard == ["hold"]

    asyncio.run(act())


def test_a_tasks_file_counts_until_the_task_is_sent(tmp_path: Path) -> None:
    async def act() -> EventWorkerState:
        state = EventWorkerState(tmp_path)
        state.submit(b"x" * 50_000)
        assert state.dispatcher.waiting_bytes > 50_000
        await turn()
        return state

    state = asyncio.run(act())

    assert state.dispatcher.waiting_bytes == 0
    assert state.board.get(0, Cell.QUEUE_BYTES) == 0


def test_how_many_tasks_wait_is_told_when_they_are_sent_and_when_one_is_withdrawn(tmp_path: Path) -> None:
    async def act() -> list[int]:
        told = []
        state = EventWorkerState(tmp_path)
        state.put(0, Cell.STATE, State.AWAY)
        for _ in range(3):
            state.submit()
        await turn()
        told.append(state.board.get(0, Cell.WAITING))
        state.dispatcher.withdraw(1)
        told.append(state.board.get(0, Cell.WAITING))
        state.put(0, Cell.STATE, State.IDLE)
        await until(lambda: state.sent == [0, 2])
        told.append(state.board.get(0, Cell.WAITING))
        return told

    assert asyncio.run(act()) == [3, 2, 0]
