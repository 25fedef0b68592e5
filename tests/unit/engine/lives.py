"""A task worker that can die at any step, and the world that outlives it. Death is an exception here, so that every
single step can be the last one; tests/integration/engine kills real processes."""

import signal
from contextlib import suppress
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from engine.events import Events
from engine.ipc.board import Board, Cell, State
from engine.ipc.in_flight import REGION_BYTES, slots_in
from engine.ipc.memory import anonymous
from engine.ipc.message import ANY, INLINE_BYTES, SPILLED, Kind, Message, decode, encode, packets, to_bytes, unpack
from engine.ipc.spill import SpillDirectory
from engine.ipc.transport import SocketTransport, TaskTransport
from engine.ipc.unix_socket import UnixSocketChannel
from engine.settings import Settings
from engine.task_worker.coroutines import CoroutineWorker
from engine.task_worker.task_worker import TaskWorker

EVENT_WORKER = 0
"""The place, and the inbox, of the one event worker."""
TASK_WORKER, OTHER_SEAT = 2, 3
"""The places of the one task worker."""
INBOX = 2
"""The task worker's."""


class Killed(BaseException):
    """What stands for kill -9: nothing of ours catches it."""


class Fate:
    """Lets a process die at its n-th step; never, without a number."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.dies_at and self.steps >= self.dies_at:  # what goes on after it, another coroutine, does nothing more
            raise Killed


class Mortal:
    """Something whose every call is a step before, and a step after; or only the calls that write."""

    def __init__(self, inner: Any, fate: Fate, writing: tuple[str, ...] = ()) -> None:
        self._inner = inner
        self._fate = fate
        self._writing = writing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method) or (self._writing and name not in self._writing):
            return method

        def call(*args: Any, **named: Any) -> Any:
            self._fate.step()
            result = method(*args, **named)
            self._fate.step()
            return result

        return call


class SoonEmpty:
    """A way that tells the task worker to stop once nothing comes any more, and no coroutine is at work."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._transport = world.transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def take(self, number: int, room: memoryview) -> int:
        size = self._transport.take(number, room)
        if not size and self._world.stops_when_empty and not getattr(self._world.here, "_at_work", None):
            self._world.was_told_to_stop = True
            signal.raise_signal(signal.SIGTERM)
        return size


class Ready:
    def announce(self) -> None: ...


class World:
    """What outlives a task worker. The server's place is taken by this object."""

    def __init__(
        self, directory: Path, transport: TaskTransport | None = None, concurrency: int = 0, **settings: Any
    ) -> None:
        """`way`: the one of SOCKET when not given. `concurrency`: tasks at once, as coroutines; 0 is one by one."""
        self.settings = Settings(worker_num=1, task_worker_num=1, **settings)
        self.board = Board(1, 1, concurrency=concurrency)
        self.channel = UnixSocketChannel(3)
        self.transport = transport or SocketTransport(
            self.channel, INBOX, self.board.blocked, lambda number, is_named: None
        )
        self.spill = SpillDirectory(directory)
        self.in_flight_slots = {
            place: slots_in(anonymous("hand", (concurrency + 1) * REGION_BYTES).view)
            for place in (TASK_WORKER, OTHER_SEAT)
        }
        self.events = Events()
        self.here: TaskWorker | CoroutineWorker
        self.lives = 0
        self.stops_when_empty = True
        self.was_told_to_stop = False
        """Because nothing came any more."""

    def submit(self, *bodies: Any, kind: Kind = Kind.TASK, target: int = ANY, first: int = 0) -> None:
        """Send tasks from `first` on in one packet. A pipe message goes into the inbox, whatever the tasks' way is."""
        messages = []
        for number, data in enumerate(bodies, first):
            codec, body = encode(data)
            if len(body) > INLINE_BYTES:
                codec, body = codec | SPILLED, self.spill.write(body)
            messages.append(to_bytes(Message(kind, codec, EVENT_WORKER, number, body, target)))
        for packet in packets(messages):
            if kind == Kind.TASK:
                assert self.transport.send(0, packet, is_named=target != ANY)
            else:
                assert self.channel.send(INBOX, packet)

    def live(self, fate: Fate | None = None, place: int = TASK_WORKER) -> bool:
        """One process: works until nothing comes any more, or dies before. Whether it left in good order."""
        fate = fate or Fate()
        self.lives += 1
        resources = SimpleNamespace(
            board=Mortal(self.board, fate, ("put", "add")),
            channel=Mortal(self.channel, fate),
            transport=Mortal(SoonEmpty(self), fate),
            spill=Mortal(copy(self.spill), fate),
            in_flight_slots={
                place: [Mortal(in_flight, fate) for in_flight in in_flight_slots]
                for place, in_flight_slots in self.in_flight_slots.items()
            },
        )
        try:
            with patch("os.getpid", return_value=10_000_000 + self.lives):
                kind = CoroutineWorker if self.board.concurrency else TaskWorker
                self.here = kind(self, place, self.settings, self.events, resources)  # type: ignore[arg-type]
                return self.here.run(Ready()) == 0  # type: ignore[arg-type]
        except Killed:
            return False
        finally:
            for cell, value in (
                (Cell.PID, 0),
                (Cell.STATE, State.AWAY),
                (Cell.RUNNING, 0),
                (Cell.CREDIT, 0),
                (Cell.TO_ADOPT, 1),
            ):  # as the manager does
                self.board.put(place, cell, value)

    def live_on(self, place: int = TASK_WORKER) -> None:
        """Processes follow each other until one leaves in good order."""
        for _ in range(50):
            if self.live(place=place):
                return
        raise AssertionError("dies for ever")

    def live_until_empty(self, place: int = TASK_WORKER) -> None:
        """The same, also when each has a share, and leaves in good order once that is done."""
        self.was_told_to_stop = False
        for _ in range(50):
            if self.live(place=place) and self.was_told_to_stop:
                return
        raise AssertionError("comes to no end")

    def left(self) -> list[int]:
        """Ids of the tasks that are still in a hand."""
        return [
            each.message.id
            for in_flight_slots in self.in_flight_slots.values()
            for in_flight in in_flight_slots
            for each in in_flight.leftover()
        ]

    def answers(self) -> list[tuple[Kind, int, Any]]:
        """What the event worker hears: kind, task id and value; the files are read and removed, as it does.

        One whose file is gone is passed over: its task is answered again.
        """
        heard = []
        while packet := self.channel.receive(EVENT_WORKER):
            for message in unpack(packet):
                body = message.body
                if message.codec & SPILLED:
                    with suppress(FileNotFoundError):
                        body = self.spill.read(message.body)
                    if body is message.body:
                        continue
                    self.spill.remove(message.body)
                value = decode(message.codec & ~SPILLED, body)
                heard.append((Kind(message.kind), message.id, value))
        return heard
