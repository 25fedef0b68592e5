"""Starts what the processes of a server share, without the processes; and ends it as kill -9 does: by doing nothing."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import ANY, Kind, Message, packets, to_bytes
from engine.ipc.resources import IpcResources
from engine.settings import IpcMode, Settings
from tests.unit.engine.lives import Killed


def start(path: Path, key: int | None, concurrency: int = 0, **settings: Any) -> IpcResources:
    """The next life under this key."""
    given = {
        "worker_num": 1,
        "task_worker_num": 2,
        "task_queue_max_bytes": 2**16,
        "task_ipc_mode": IpcMode.QUEUE,
        "message_queue_key": key,
        **settings,
    }
    gc.collect()  # the memory of the life before is unmapped
    return IpcResources(Settings(**given), path, concurrency)


def task(number: int, body: bytes = b"body", target: int = ANY, deaths: int = 0) -> Message:
    return Message(Kind.TASK, 0, 0, number, body, target, deaths)


def packet_of(*messages: Message) -> bytes:
    (packet,) = packets([to_bytes(each) for each in messages])
    return packet


def keep(resources: IpcResources, place: int, *tasks: Message) -> None:
    """Let tasks wait in an event worker."""
    for each in tasks:
        resources.event_worker_states[place].backlog.append(each.id, to_bytes(each))


def hold(resources: IpcResources, place: int, *tasks: Message, in_flight: int = 0) -> None:
    """Let a task worker have tasks in hand."""
    packet = packet_of(*tasks)

    def receive_into(room: memoryview) -> int:
        room[LEAD_BYTES : LEAD_BYTES + len(packet)] = packet
        return len(packet)

    resources.in_flight_slots[place][in_flight].take(receive_into)


def waiting(resources: IpcResources) -> list[Message]:
    """Every task that waits in an event worker, in the order of their ids."""
    found = [message for state in resources.event_worker_states for message in state.backlog.load()]
    return sorted(found, key=lambda message: message.id)


def ids(resources: IpcResources) -> list[int]:
    return [message.id for message in waiting(resources)]


@contextmanager
def death_at_line(number: int, *files: str) -> Iterator[Callable[[], bool]]:
    """Raise Killed at the n-th line that runs in files whose path ends so. Gives what tells whether it came to that."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith(files):
            return None
        if event == "line":
            count += 1
            if count == number:
                sys.settrace(None)
                raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: count >= number
    except Killed:
        pass
    finally:
        sys.settrace(before)
