"""The way of tasks to task workers, whatever carries them."""

from typing import Protocol

from engine.ipc.channel import Channel
from engine.ipc.hand import LEAD_BYTES
from engine.ipc.message import INLINE_BYTES, PACKET_BYTES, Kind, Message


class TaskWay(Protocol):
    """Made before the first fork; each process uses its copy. What a dead process did not take stays for others."""

    inline_bytes: int
    """Largest body that travels in its message."""
    packet_bytes: int
    """Largest packet."""
    is_shared: bool
    """Whether there is one room for all task workers, and not one for each."""

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        """Send a packet of tasks to task worker `number`, from 0; False when there is no room. Never blocks.

        `is_named`: the tasks are for that one alone; otherwise another that is idle may take them.
        """

    def take(self, number: int, room: memoryview) -> int:
        """Put the next packet for task worker `number` behind the first LEAD_BYTES of `room`; its bytes, 0 when there
        is none. Never blocks. Once it is taken, it is in `room`, even if the process is killed at that moment."""

    def pass_on(self, number: int) -> None:
        """Task worker `number` takes no more: whoever else has room is to look whether something is there."""

    def returned(self, task: Message) -> Message:
        """What `give_back` sends for a task that was not begun."""

    def give_back(self, source: int, packet: bytes) -> bool:
        """Send such a message on, so that another does the task; False when there is no room. `source` is the place
        that sent the task."""


class SocketWay:
    """IpcMode.SOCKET: tasks go into the inbox of their task worker, among what else is said to it."""

    inline_bytes = INLINE_BYTES
    packet_bytes = PACKET_BYTES
    is_shared = False

    def __init__(self, channel: Channel, first_inbox: int) -> None:
        """`first_inbox`: that of task worker 0."""
        self._channel = channel
        self._first = first_inbox

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        return self._channel.send(self._first + number, packet)

    def take(self, number: int, room: memoryview) -> int:
        return self._channel.receive_into(self._first + number, room[LEAD_BYTES:])

    def pass_on(self, number: int) -> None:
        """What is in its inbox, nobody else can take."""

    def returned(self, task: Message) -> Message:
        return task._replace(kind=Kind.RETURNED)

    def give_back(self, source: int, packet: bytes) -> bool:
        return self._channel.send(source, packet)
