"""Recovers what earlier runs of a server with a key left: every task that was not done waits again.

Each start does this once, before the first fork. Names of memory begin with the number of their run. Nothing of an
earlier run is removed before all of it is in the backlogs of this one, so a start that is killed in the middle loses
nothing: the next one finds some tasks twice, and takes each once.
"""

from collections.abc import Callable, Iterator

from engine.ipc.backlog import Backlog, entries, region_bytes
from engine.ipc.in_flight import LEAD_BYTES, slots_in
from engine.ipc.memory import Folder, Region
from engine.ipc.message import ANY, PACKET_HEAD, Kind, Message, to_bytes, unpack
from engine.ipc.sysv_queue import QueueTransport

BACKLOG, IN_FLIGHT, DRAINED = "backlog", "hand", "drained"  # names on the disk: they must not change


class Recovery:
    """The folder of a server with a key, at its start."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._former = folder.names()
        runs = [int(name.partition("-")[0]) for name in self._former]
        self._run = max(runs, default=0) + 1

    def make(self, name: str, size: int) -> Region:
        """Make memory of this run. Raises OSError."""
        return self._folder.make(f"{self._run}-{name}", size)

    def tasks(self, transport: QueueTransport, waiting: int) -> list[Message]:
        """Return every task that was not done, in the order of ids. `waiting`: how many packets the queue holds."""
        self._drain(transport, waiting)
        found: dict[int, Message] = {}
        for name in [*self._former, f"{self._run}-{DRAINED}"]:
            for message in _read(name, self._folder.read(name)):
                known = found.get(message.id)
                if message.kind == Kind.TASK and (known is None or known.deaths < message.deaths):
                    found[message.id] = message
        return [found[task_id] for task_id in sorted(found)]

    def _drain(self, transport: QueueTransport, waiting: int) -> None:
        """Take all that is in the queue. The kernel puts it straight into a file, so a kill loses nothing."""
        slot = LEAD_BYTES + transport.packet_bytes
        region = self.make(DRAINED, _DRAINED_HEAD + (waiting + 1) * slot)
        region.reserve(0, region.size)
        PACKET_HEAD.pack_into(region.view, 0, slot)
        for at in range(_DRAINED_HEAD, region.size, slot):
            if not transport.take_any(region.view[at:]):
                return

    def settled(self) -> None:
        """Remove what the tasks were found in: they are in this run's backlogs now."""
        for name in [*self._former, f"{self._run}-{DRAINED}"]:
            self._folder.remove(name)


_DRAINED_HEAD = 8


def _read(name: str, memory: memoryview) -> Iterator[Message]:
    kind = name.split("-")[1]
    if kind == BACKLOG and len(memory):
        yield from (message for _, message in entries(memory))
    elif kind == IN_FLIGHT:
        for in_flight in slots_in(memory):
            yield from (each.message._replace(deaths=min(255, each.deaths)) for each in in_flight.leftover())
    elif kind == DRAINED and len(memory):
        (slot,) = PACKET_HEAD.unpack_from(memory)
        for at in range(_DRAINED_HEAD, len(memory), slot or len(memory)):
            packet = memory[at + LEAD_BYTES : at + slot]
            if slot and PACKET_HEAD.unpack_from(packet)[0]:
                yield from unpack(packet)


def fill(make: Callable[[str, int], Region], place: int, tasks: list[Message], max_bytes: int, most: int) -> Backlog:
    """Make the backlog of an event worker, with these tasks in it. A task for one of the task workers from `most` on,
    which are not there any more, may be done by any."""
    packed = [
        (task.id, to_bytes(task._replace(source=place, target=task.target if task.target < most else ANY)))
        for task in tasks
    ]
    size = max(max_bytes, sum(len(each) for _, each in packed))
    backlog = Backlog(make(f"{BACKLOG}-{place}", region_bytes(size)))
    for task_id, message in packed:
        backlog.append(task_id, message)
    return backlog
