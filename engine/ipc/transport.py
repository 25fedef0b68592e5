"""Carries tasks to task workers: what a transport promises, and the one of sockets."""

from collections.abc import Callable
from typing import Protocol

from engine.ipc.board import BLOCKED, BLOCKED_WITH_TASKS
from engine.ipc.channel import Channel
from engine.ipc.in_flight import LEAD_BYTES
from engine.ipc.message import INLINE_BYTES, PACKET_BYTES
from engine.ipc.unix_socket import UnixSocketChannel


class TaskTransport(Protocol):
    """Made before the first fork; each process uses its copy. What a dead process did not take stays for others."""

    inline_bytes: int
    """Largest body that travels in its message."""
    packet_bytes: int
    """Largest packet."""
    is_shared: bool
    """Whether all task workers share one queue, and not each has its own."""

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        """Send a packet of tasks to task worker `number`, from 0; False when there is no room. Never blocks.

        `is_named`: the tasks are for that one alone; otherwise another that is idle may take them.
        """

    def take(self, number: int, room: memoryview) -> int:
        """Put the next packet for task worker `number` behind the first LEAD_BYTES of `room`; return its size in
        bytes, 0 when there is none. Never blocks. Once it is taken, it is in `room`, even if the process is killed at
        that moment."""

    def wake_other(self, number: int) -> None:
        """Note that task worker `number` takes nothing for now, until it takes again, and wake another with credit to
        take what waits for it, or for others that take nothing."""

    def requeue(self, number: int, packet: bytes) -> bool:
        """Put back tasks that task worker `number` took and did not begin, so that another does them; False when there
        is no room. Call `wake_other` after it."""

    def readable(self, number: int) -> int | None:
        """Return a descriptor that is readable when there are tasks for this task worker; None where it is woken by a
        packet in its inbox."""


class SocketTransport:
    """IpcMode.SOCKET: a socket for each task worker, with the tasks that were sent to it and that any other may do.

    Whoever has nothing to do takes from the sockets of those that are blocked, see Board. Such a packet goes from the
    socket into its in-flight slot, as one of its own does, so at no moment is it nowhere. What is for one alone goes
    into its inbox, among its other messages.
    """

    inline_bytes = INLINE_BYTES
    packet_bytes = PACKET_BYTES
    is_shared = False

    def __init__(
        self,
        channel: Channel,
        first_inbox: int,
        blocked: memoryview,
        wake: Callable[[int, bool], None],
    ) -> None:
        """`first_inbox`: that of task worker 0. `blocked`: see Board. `wake`: as in QueueTransport."""
        self._channel = channel
        self._first = first_inbox
        self._blocked = blocked
        self._wake = wake
        self._tasks = UnixSocketChannel(len(blocked))

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        if is_named:
            return self._channel.send(self._first + number, packet)
        if not self._tasks.send(number, packet):
            return False
        if self._blocked[number]:  # nobody else knows of this packet yet
            self._blocked[number] = BLOCKED_WITH_TASKS
            self._wake(number, False)
        return True

    def take(self, number: int, room: memoryview) -> int:
        blocked, packet = self._blocked, room[LEAD_BYTES:]
        if blocked[number]:
            blocked[number] = 0
        size = self._tasks.receive_into(number, packet)
        if not size and BLOCKED_WITH_TASKS in blocked:
            size = self._take_from_blocked(packet)
        return size

    def _take_from_blocked(self, packet: memoryview) -> int:
        blocked, receive_into = self._blocked, self._tasks.receive_into
        for number, state in enumerate(blocked):
            if state == BLOCKED_WITH_TASKS:
                if size := receive_into(number, packet):
                    return size
                blocked[number] = BLOCKED
                if size := receive_into(number, packet):  # sent between the two: its sender thinks that we know
                    blocked[number] = BLOCKED_WITH_TASKS
                    return size
        return 0

    def wake_other(self, number: int) -> None:
        blocked = self._blocked
        blocked[number] = BLOCKED_WITH_TASKS
        # also for the others: this one may have been woken for all that waits there, and took a part of it
        if any(state == BLOCKED_WITH_TASKS and not self._tasks.is_empty(each) for each, state in enumerate(blocked)):
            self._wake(number, False)

    def requeue(self, number: int, packet: bytes) -> bool:
        return self._tasks.send(number, packet)

    def readable(self, number: int) -> int:
        return self._tasks.readable(number)
