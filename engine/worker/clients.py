"""The connections of one event worker, by session number."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from engine.callbacks import Callbacks
from engine.ipc.board import Board, Cell
from engine.ipc.channel import place_of
from engine.ipc.message import Kind
from engine.log_lines import Few, get_logger
from engine.settings import Settings
from engine.worker.connection import TURN_S, Connection
from engine.worker.timeouts import disconnect_idle, drop_unreachable, limits_of

few = Few(get_logger(__name__))

_LEAST_HELD = 64 * 2**20


class Clients:
    """Takes connections in, finds them again, and reaches those of other event workers by message."""

    def __init__(
        self,
        place: int,
        settings: Settings,
        board: Board,
        callbacks: Callbacks,
        post: Callable[[int, Kind, int, Any], None],
    ) -> None:
        """`post(place, kind, fd, data)` sends a message to another event worker."""
        self.settings = settings
        self._place = place
        self._id = board.worker_id(place)
        self._board = board
        self._callbacks = callbacks
        self._post = post
        self._connections: dict[int, Connection] = {}
        self._ending: set[Connection] = set()
        self._is_paused = False
        self._to_resume: dict[int, Connection] = {}
        """Connections that are still to be resumed, in order."""
        self._held_bytes = 0
        self._most_held = settings.receive_buffer_max_bytes or max(_LEAST_HELD, 2 * settings.package_max_length)
        self._limits = limits_of(settings)
        row = board.row(place)
        self._bytes_in, self._bytes_out, self._requests = row + Cell.BYTES_IN, row + Cell.BYTES_OUT, row + Cell.REQUESTS
        self._is_looking = False

    def __len__(self) -> int:
        """How many sockets are open, those included that were closed and whose last bytes are on their way."""
        return len(self._connections) + len(self._ending)

    # ── who comes in ────────────────────────────────────────────────────────────────────────────

    @property
    def is_full(self) -> bool:
        """Whether max_conn is reached already; `admit` decides."""
        return self._board.connection_num >= self.settings.max_conn

    def refuse(self, peer: str) -> None:
        """Log that this client was refused."""
        few.warning("connection refused, max_conn is reached", extra={"peer": peer, "limit": self.settings.max_conn})

    # ── what a connection tells (see connection.Owner) ──────────────────────────────────────────

    def admit(self, connection: Connection) -> int:
        # Counted before it is compared: two workers that accept the last one at once may both refuse, never both take.
        self._board.add(self._place, Cell.ACCEPTED)
        if self._board.connection_num > self.settings.max_conn:
            self._board.add(self._place, Cell.CLOSED)
            self.refuse(connection.address)
            return 0
        # 1 + place, 1 + place + places, …: unique over all workers, and tells whose it is
        fd = self._board.add(self._place, Cell.SESSIONS) * len(self._board.event_places) + self._place + 1
        self._connections[fd] = connection
        self._board.connections.add(
            fd,
            owner=self._place,
            reactor_id=self._id,
            connected_at=connection.connected_at,
            peer=connection.peer,
        )
        return fd

    def opened(self, connection: Connection) -> None:
        if self._is_paused:
            connection.pause()
        if self._limits.look_s and not self._is_looking:
            self._is_looking = True
            self.later(self._limits.look_s, self._look)
        self._callbacks.emit("connect", connection.fd, self._id)

    def received(self, fd: int, frame: bytes) -> asyncio.Future[None] | None:
        self._board.cells[self._requests] += 1
        return self._callbacks.emit("receive", fd, self._id, frame)

    def count_in(self, count: int) -> None:
        self._board.cells[self._bytes_in] += count

    def count_out(self, count: int) -> None:
        self._board.cells[self._bytes_out] += count

    def later(self, delay_s: float, call: Callable[[], None]) -> asyncio.Handle:
        return asyncio.get_running_loop().call_later(delay_s, call)

    def holds(self, more_bytes: int) -> None:
        self._held_bytes += more_bytes
        if more_bytes > 0 and self._held_bytes > self._most_held:
            self._make_room()
        elif self._is_paused and more_bytes > 0 and self._held_bytes > self._most_held // 2:
            self._hold_all()

    def _make_room(self) -> None:
        """Close connections with an incomplete frame, the oldest first, of those that hold much: frames that are only
        paused are no client's fault."""
        holders = [each for each in self._connections.values() if each.begun_at and each.is_listening]
        while holders and self._held_bytes > self._most_held:
            fair_bytes = sum(each.held_bytes for each in holders) / len(holders)
            connection = min(
                (each for each in holders if each.held_bytes >= fair_bytes), key=lambda each: each.begun_at
            )
            holders.remove(connection)
            few.warning(
                "connection closed, receive_buffer_max_bytes is reached and its frame waits longest",
                extra={"peer": connection.address, "held_bytes": connection.held_bytes, "limit": self._most_held},
            )
            connection.abort()  # TLS would keep its buffers until close_notify

    def _hold_all(self) -> None:
        """Stop the one read that each connection has during a pause: there is no room for it."""
        for connection in self._connections.values():
            connection.hold()

    def _look(self) -> None:
        """Disconnect idle and slow clients. One timer serves all, as long as there are any."""
        now = time.monotonic()
        drop_unreachable(list(self._ending), self._limits, now)
        disconnect_idle(list(self._connections.values()), self._limits, now)
        self._is_looking = len(self) > 0
        if self._is_looking:
            self.later(self._limits.look_s, self._look)

    def ended(self, connection: Connection) -> None:
        del self._connections[connection.fd]
        self._board.connections.remove(connection.fd)
        self._ending.add(connection)

    def closed(self, connection: Connection) -> None:
        self._board.add(self._place, Cell.CLOSED)
        self._ending.discard(connection)
        self._callbacks.emit("close", connection.fd, self._id)

    # ── what the program asks ───────────────────────────────────────────────────────────────────

    @property
    def numbers(self) -> list[int]:
        return list(self._connections)

    def get(self, fd: int) -> Connection | None:
        return self._connections.get(fd)

    def send(self, fd: int, data: bytes) -> bool:
        """Send to a client; for a connection of another event worker, True says that this worker was asked to."""
        if connection := self._connections.get(fd):
            return connection.send(data)
        return self._ask_owner(Kind.SEND, fd, data)

    def close(self, fd: int) -> bool:
        """Close a connection, here or through its event worker."""
        if connection := self._connections.get(fd):
            return connection.close()
        return self._ask_owner(Kind.CLOSE, fd, b"")

    def _ask_owner(self, kind: Kind, fd: int, data: bytes) -> bool:
        owner = place_of(self._board, fd)
        if owner == self._place or fd not in self._board.connections:
            return False
        self._post(owner, kind, fd, data)
        return True

    # ── the worker has too much to do, or leaves ────────────────────────────────────────────────

    def pause(self) -> None:
        """Read from no client, and hand out no frame, until `resume`; from inside a callback, too.

        Clients that connect meanwhile wait as well. No client counts as idle during a pause.
        """
        if not self._is_paused:
            self._is_paused = True
            self._to_resume.clear()
            for connection in self._connections.values():
                connection.pause()
            if self._held_bytes > self._most_held // 2:
                self._hold_all()

    def resume(self) -> None:
        """Hand out the frames that came before the pause, then read on, some in this loop turn and the others later. A
        callback may pause again in the middle; those whose turn did not come are the first next time."""
        if not self._is_paused:
            return
        self._is_paused = False
        self._to_resume = dict(self._connections)
        self._resume_some()

    def _resume_some(self) -> None:
        until = time.monotonic() + TURN_S
        while self._to_resume and not self._is_paused:
            fd = next(iter(self._to_resume))
            connection = self._to_resume.pop(fd)
            connection.resume()
            if self._connections.pop(fd, None):
                self._connections[fd] = connection  # to the end
            if self._to_resume and time.monotonic() > until:
                self.later(0, self._resume_some)
                return

    def stop_reading(self) -> None:
        """Leave in the kernel what clients send from now on; what was read is still handed out."""
        for connection in self._connections.values():
            connection.stop_reading()

    def close_idle(self, quiet_s: float) -> int:
        """Close connections that sent nothing for `quiet_s` and have nothing under way; return how many stay.

        Under way are a frame in part, a coroutine at work, an answer that is not sent, and everything during a pause.
        A task that `receive` submitted is not: wait for the tasks first.
        """
        heard_before = time.monotonic() - quiet_s
        for connection in list(self._connections.values()):
            if connection.heard_at <= heard_before and not connection.has_work:
                connection.close()
        return len(self._connections)

    def close_all(self) -> None:
        """Close every connection, each once what waits is sent; `len` is 0 when all are gone."""
        for connection in list(self._connections.values()):
            connection.close()
