"""Serves one client: reads bytes, hands frames to `receive`, writes answers."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from engine.errors import BadFrameLength, SendBufferFull
from engine.log_lines import Few, get_logger
from engine.settings import Settings
from engine.wire.framing import framing_for, guess
from engine.worker.connection_state import Event, State, after
from engine.worker.read_control import ReadControl

few = Few(get_logger(__name__))

LINGER_S = 1.0
"""How long a client that was closed may go on sending before its socket is closed."""
COROUTINES_AT_ONCE = 16
"""How many coroutines are started before they get to run: they may pause the clients."""
STUCK_S = 10.0
"""How long the frames of a client that is gone wait for the end of one of its callbacks, before they are dropped."""
TURN_S = 0.005
"""How long one connection hands out frames before others have their turn."""
_FRAMES_A_LOOK = 16
"""The clock is read once for so many: to read it for each would cost as much as some handlers."""


class Owner(Protocol):
    """What a connection calls: admit, opened, received …, ended, closed, in this order."""

    settings: Settings

    def admit(self, connection: "Connection") -> int:
        """Add the connection and return its session number; 0 when it cannot be served."""

    def opened(self, connection: "Connection") -> None:
        """Note that the connection has its number and may be used."""

    def received(self, fd: int, frame: bytes) -> Awaitable[Any] | None:
        """Handle a frame; return the coroutine that is still at work on it, if there is one."""

    def count_in(self, count: int) -> None:
        """Count bytes that came from the client."""

    def count_out(self, count: int) -> None:
        """Count bytes that were given to its transport."""

    def later(self, delay_s: float, call: Callable[[], None]) -> asyncio.Handle:
        """Call it after `delay_s`; 0 is as soon as the current callback returns."""

    def ended(self, connection: "Connection") -> None:
        """Note that the connection ended; bytes may still be on their way to the client."""

    def closed(self, connection: "Connection") -> None:
        """Note that its socket is gone."""

    def holds(self, more_bytes: int) -> None:
        """Count bytes that it keeps and did not hand out, below 0 for fewer. Connections may be closed by that."""


class Connection(asyncio.Protocol):
    """A client's connection. `fd` is its session number, given when it opens."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._framing = framing_for(owner.settings)
        self._transport: asyncio.Transport | None = None
        self._read_control: ReadControl
        self._state = State.OPEN
        self._at_work = 0  # frames whose coroutine is not done
        self._most_at_work = owner.settings.connection_max_concurrency
        self._is_full = False
        """So many are at work that the next frame waits for the end of one."""
        self._is_handing_out = False
        self._is_finished = False
        self._next_turn: asyncio.Handle | None = None
        """Set while frames are here that a later loop turn hands out."""
        self._lingering: asyncio.Handle | None = None
        self.held_bytes = 0
        """Bytes that were read and not handed out, as the owner counts them."""
        self.fd = 0
        self.connected_at = time.time()
        self.heard_at = time.monotonic()
        """When the last byte came, the connection was resumed, or it ended (time.monotonic)."""
        self.sent_at = 0.0
        """When something was sent last (time.monotonic). A client that is sent something is not idle."""
        self.begun_at = 0.0
        """When the first byte of an incomplete frame came (time.monotonic); 0 when there is none."""
        self.peer: tuple[str, int] = ("", 0)

    # ── what the transport tells ────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._read_control = ReadControl(self._transport, self._owner.later)
        if not self._owner.settings.open_tcp_nodelay:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        self.peer = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.fd = self._owner.admit(self)
        if not self.fd:
            self._state = State.ENDED
            self._transport.abort()
            return
        self._owner.opened(self)
        self._read_control.begin()

    def data_received(self, data: bytes) -> None:
        self._owner.count_in(len(data))
        if self._state is State.ENDED:
            return  # see close
        self.heard_at = time.monotonic()
        self._framing.feed(data)
        if self._state.is_paused:
            self._read_control.pause()  # see pause
        self._hand_out()
        self._tell_held()

    def eof_received(self) -> bool:
        """Stay open until its frames are handled: a client that sends no more may still wait for answers.

        Not over TLS: the transport ends there with the client's close_notify, whatever is returned here.
        """
        self._note(Event.END_OF_STREAM)
        if self._transport is None or not self._transport.can_write_eof():
            return False
        return not self._close_when_done() and self._state is not State.ENDED

    def resume_writing(self) -> None:
        """Go on closing once everything is sent."""
        if self._state is State.ENDED:
            self._linger()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._lingering:
            self._lingering.cancel()
        self._note(Event.LOSE)
        if self._state is State.ENDED:
            self._finish()
        else:
            self._see_to_the_end()
            self._limit_the_end()

    # ── frames ──────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self) -> None:
        """Hand the complete frames to the owner, which may pause or close us in the middle."""
        if self._is_handing_out or self._has_more:
            return  # resumed by a callback of ours: the loop below, or a later turn, goes on, in order
        self._is_handing_out = True
        is_new = self.begun_at == 0.0
        try:
            is_new = self._hand_out_for_a_turn() or is_new
        except BadFrameLength as error:
            head = {"head": error.head.hex(" ")} if self._owner.settings.log_frame_head else {}
            few.warning(
                "connection closed, invalid frame length",
                extra={
                    "peer": self.address,
                    "announced_bytes": error.announced_bytes,
                    "limit_bytes": error.limit_bytes,
                    **head,
                    "guess": guess(error.head),
                },
            )
            self.close()
        finally:
            self._is_handing_out = False
        if not self._framing.is_begun:
            self.begun_at = 0.0
        elif is_new:
            self.begun_at = self.heard_at

    def _hand_out_for_a_turn(self) -> bool:
        """Hand out for TURN_S at most; return whether there was a frame. Raises BadFrameLength."""
        handed = coroutines = 0
        until = 0.0
        while self._state.takes_frames and (frame := self._framing.next_frame()) is not None:
            handed += 1
            if work := self._owner.received(self.fd, frame):
                self._at_work += 1
                asyncio.ensure_future(work).add_done_callback(self._work_done)
                coroutines += 1
                if self._at_work >= self._most_at_work:
                    self._is_full = True
                    self._read_control.pause()
                    self._limit_the_end()
                    break
                if coroutines == COROUTINES_AT_ONCE:
                    self._go_on_later()
                    break
            if handed % _FRAMES_A_LOOK == 0:
                now = time.monotonic()
                until = until or now + TURN_S
                if now >= until:
                    self._go_on_later()
                    break
        return handed > 0

    def _go_on_later(self) -> None:
        self._read_control.pause()
        self._next_turn = self._owner.later(0, self._go_on)

    def _go_on(self) -> None:
        """Hand out more, after other connections and the coroutines that were started had their turn."""
        self._next_turn = None
        if not self._state.takes_frames:
            return
        self._hand_out()
        self._tell_held()
        if self._state is State.OPEN and not self._has_more:
            self._read_control.resume()
        self._see_to_the_end()

    def _limit_the_end(self) -> None:
        """Drop the frames of a client that is gone after STUCK_S: callbacks at work may wait for its `close`, which
        comes after its last frame."""
        if self._state is State.LOST and self._is_full:
            if self._lingering:
                self._lingering.cancel()
            self._lingering = self._owner.later(STUCK_S, self._finish)

    def _work_done(self, _work: object) -> None:
        self._at_work -= 1
        if self._is_full:
            self._is_full = False
            if self._lingering:
                self._lingering.cancel()
            self._next_turn = self._owner.later(0, self._go_on)
        elif self._state is State.HALF_CLOSED:
            self._close_when_done()

    def _close_when_done(self) -> bool:
        return not (self._at_work or self._has_more or self._state.is_paused) and self.close()

    def _tell_held(self) -> None:
        held_bytes = self._framing.held_bytes
        if more := held_bytes - self.held_bytes:
            self.held_bytes = held_bytes
            self._owner.holds(more)

    # ── how it is ───────────────────────────────────────────────────────────────────────────────

    @property
    def address(self) -> str:
        """The peer's address and port, for the log."""
        return f"{self.peer[0]}:{self.peer[1]}"

    @property
    def is_listening(self) -> bool:
        """Whether we read from the client, so that its silence is its own."""
        return self._state is State.OPEN

    @property
    def has_work(self) -> bool:
        """Whether something is under way: a frame begun or at work, an answer not sent, a pause.

        A task that `receive` submitted does not count.
        """
        waiting = self._transport.get_write_buffer_size() if self._transport else 0
        return bool(self._state.is_paused or self._at_work or self._has_more or waiting or self._framing.is_begun)

    @property
    def _has_more(self) -> bool:
        """Whether there may be frames that a later turn hands out."""
        return self._is_full or self._next_turn is not None

    def _note(self, event: Event) -> None:
        self._state = after(self._state, event)

    # ── what the worker asks ────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        """Hand bytes to the transport; False when it is closed. Raises SendBufferFull when too much waits."""
        if self._state is State.ENDED or self._transport is None or self._transport.is_closing():
            return False
        waiting = self._transport.get_write_buffer_size()
        limit = self._owner.settings.buffer_output_size
        if waiting and waiting + len(data) > limit:
            raise SendBufferFull(self.fd, waiting, limit)
        self._transport.write(data)
        self.sent_at = time.monotonic()
        self._owner.count_out(len(data))
        return True

    def pause(self) -> None:
        """Hand out nothing until `resume`, and read once more at most.

        Once, so that a client of few words has its turn at the next `resume`: its bytes are here then, and it is not
        overtaken again and again by one whose bytes always are.
        """
        if self._state.takes_frames:
            self._note(Event.PAUSE)
            if self._is_handing_out:
                self._read_control.pause()

    def hold(self) -> None:
        """While paused, do not read even once more."""
        if self._state.is_paused:
            self._read_control.pause()

    def resume(self) -> None:
        """Hand out what came before the pause, and read on. It may be paused again by that."""
        if not self._state.is_paused:
            return
        self._note(Event.RESUME)
        self.heard_at = time.monotonic()
        self.begun_at = 0.0
        if self._state is State.OPEN and not self._has_more:
            self._read_control.resume()
        self._hand_out()
        self._tell_held()
        self._see_to_the_end()

    def _see_to_the_end(self) -> None:
        """Close, where the client is gone or sends no more, and all its frames were handed out."""
        if self._is_handing_out or self._has_more:
            return
        if self._state is State.LOST:
            self._finish()
        elif self._state is State.HALF_CLOSED:
            self._close_when_done()

    def stop_reading(self) -> None:
        """Leave what the client sends from now on in the kernel, until it is closed."""
        self._note(Event.STOP_READING)
        if self._state is not State.ENDED and self._transport:
            self._read_control.pause()

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def close(self) -> bool:
        """Close once what waits is sent; False when it is closed already.

        The client gets an end of stream, and what it still sends is dropped, until it closes as well or
        LINGER_S is over. Closing the socket with its bytes unread would send a reset, and a client that gets one may
        lose the answer that came before. Source: RFC 1122 section 4.2.2.13, RFC 2525 section 2.17.
        """
        if self._state is State.ENDED:
            return False
        transport, peer_is_done = self._transport, self._state.peer_is_done
        is_gone = transport is None or transport.is_closing()
        self._end()
        if transport is None:
            self._finish()
        elif not transport.can_write_eof():  # TLS has no half-close; it drops what comes until close_notify
            self._read_control.drain()
            transport.close()
        elif peer_is_done:
            transport.close()
        elif not is_gone:
            transport.write_eof()
            self._read_control.resume()
            transport.set_write_buffer_limits(0)  # so that resume_writing says when all is sent
            if not transport.get_write_buffer_size():
                self._linger()
        return not is_gone

    def abort(self) -> None:
        """Close at once and drop what waits."""
        self._end()
        if self._transport:
            self._transport.abort()

    def _linger(self) -> None:
        if self._transport and not self._lingering:
            self._lingering = self._owner.later(LINGER_S, self._transport.close)

    def _end(self) -> None:
        if self._state is not State.ENDED:
            self._note(Event.END)
            self._framing.drop()
            self._tell_held()
            self.heard_at = time.monotonic()
            self._owner.ended(self)

    def _finish(self) -> None:
        if self._lingering:
            self._lingering.cancel()
        if self.fd and not self._is_finished:  # or it was never admitted
            self._is_finished = True
            self._end()
            self._owner.closed(self)
