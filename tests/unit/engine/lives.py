"""A task worker that can die at any step, and the world that outlives it. Death is an exception here, so that every
single step can be the last one; tests/integration/engine kills real processes."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.events import Events
from engine.ipc.hand import Hand
from engine.ipc.message import INLINE_BYTES, SPILLED, Kind, Message, decode, encode, packets, to_bytes, unpack
from engine.ipc.spill import SpillDirectory
from engine.ipc.unix_socket import UnixSocketChannel
from engine.settings import Settings
from engine.stats import Board
from engine.task_worker.task_worker import TaskWorker

EVENT_WORKER, TASK_WORKER = 0, 1


class Killed(BaseException):
    """What stands for kill -9: nothing of ours catches it."""


class Fate:
    """Lets a process die at its n-th step; never, without a number."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            raise Killed


class Mortal:
    """Something whose every call is a step before, and a step after."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        def call(*args: Any) -> Any:
            self._fate.step()
            result = method(*args)
            self._fate.step()
            return result

        return call


class SoonEmptyChannel(UnixSocketChannel):
    """Tells the task worker to stop once its inbox is empty."""

    def receive_into(self, worker_id: int, buffer: memoryview) -> int:
        size = super().receive_into(worker_id, buffer)
        if not size:
            signal.raise_signal(signal.SIGTERM)
        return size


class Ready:
    def announce(self) -> None: ...


class World:
    """What outlives a task worker. The server's place is taken by this object."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.settings = Settings(worker_num=1, task_worker_num=1, **settings)
        self.board = Board(1, 1)
        self.channel = SoonEmptyChannel(2)
        self.spill = SpillDirectory(directory)
        self.hand = Hand()
        self.events = Events()
        self.here: TaskWorker
        self.lives = 0

    def submit(self, *bodies: Any, kind: Kind = Kind.TASK) -> None:
        """Put tasks 0, 1, 2, … into the inbox, in one packet."""
        messages = []
        for number, data in enumerate(bodies):
            codec, body = encode(data)
            if len(body) > INLINE_BYTES:
                codec, body = codec | SPILLED, self.spill.write(body)
            messages.append(to_bytes(Message(kind, codec, EVENT_WORKER, number, body)))
        for packet in packets(messages):
            assert self.channel.send(TASK_WORKER, packet)

    def live(self, fate: Fate | None = None) -> bool:
        """One process: works until the inbox is empty, or dies before. Whether it left in good order."""
        fate = fate or Fate()
        self.lives += 1
        self.here = TaskWorker(
            self,
            TASK_WORKER,
            self.settings,
            self.events,
            self.board,
            Mortal(self.channel, fate),  # type: ignore[arg-type]
            Mortal(SpillDirectory(self.spill.path), fate),  # type: ignore[arg-type]
            Mortal(self.hand, fate),  # type: ignore[arg-type]
        )
        try:
            with patch("os.getpid", return_value=10_000_000 + self.lives):
                return self.here.run(Ready()) == 0  # type: ignore[arg-type]
        except Killed:
            return False

    def live_on(self) -> None:
        """Processes follow each other until one leaves in good order."""
        for _ in range(50):
            if self.live():
                return
        raise AssertionError("dies for ever")

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
