"""Lets other task workers have the tasks that wait behind a long one.

Quick tasks travel many in a packet, and several packets may be on their way. When a task turns out to be long, those
behind it in its packet go back to where packets come from, others are told that they may take what is there, and the
answers of those before it are sent.
"""

import threading
import time
from collections.abc import Callable

from engine.ipc.in_flight import InFlight, InFlightTask
from engine.ipc.message import ANY, Kind, packets, to_bytes, unpack
from engine.ipc.transport import TaskTransport

LONG_S = 0.002
"""A task that has run for this long is long."""
_LOOKS_BEFORE_REST = 50


class Requeuer:
    """Watches the message in hand from a thread of its own, which begins with the first packet.

    A handler that keeps the interpreter's lock, deep in a C extension, holds it up until it lets go.
    """

    def __init__(self, on_long: Callable[[], bool], is_at_work: Callable[[], bool]) -> None:
        """`on_long()` is called, under the lock, when the message in hand is found to be long; again and again until
        it returns True, or the next message is begun. `is_at_work()`: whether a message is in hand."""
        self.lock = threading.Lock()
        """Held while answers are sent and tasks put back."""
        self.begun = 0
        """How many packets and messages were begun; whoever begins a message raises it."""
        self._on_long = on_long
        self._is_at_work = is_at_work
        self._is_needed = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Begin to watch: a packet is in hand."""
        self.begun += 1  # before we look whether the thread rests: it rests before it looks at this
        if not self._is_needed.is_set():
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="requeuer", daemon=True)
                self._thread.start()
            self._is_needed.set()

    def _look(self) -> None:
        """Look now and then while a message is in hand; to be woken for each would cost more than the tasks."""
        seen, quiet, is_seen_to = -1, 0, False
        while self._is_needed.wait():
            time.sleep(LONG_S)
            if self.begun != seen:
                seen, quiet, is_seen_to = self.begun, 0, False
                continue
            quiet += 1
            if not is_seen_to and self._is_at_work():
                quiet = 0
                with self.lock:
                    if self.begun == seen:
                        is_seen_to = self._on_long()
            elif quiet > _LOOKS_BEFORE_REST:
                self._is_needed.clear()
                if self.begun != seen:  # one that came at this moment
                    self._is_needed.set()


def may_requeue(entry: InFlightTask) -> bool:
    """Return whether another task worker may do it: a task for any, not begun."""
    return entry.message.kind == Kind.TASK and entry.message.target == ANY and not entry.begun


def requeue(
    transport: TaskTransport, number: int, in_flight: InFlight, tasks: list[InFlightTask]
) -> list[InFlightTask]:
    """Put these tasks back, in order, and note that in flight; return the last ones, for which there is no room."""
    if not tasks:
        return []
    room = 0
    for packet in packets([to_bytes(each.message) for each in tasks], transport.packet_bytes):
        if not transport.requeue(number, packet):
            break
        for _ in unpack(packet):
            in_flight.requeue(tasks[room].place)
            room += 1
    return tasks[room:]
