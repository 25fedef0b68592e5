"""One client: bytes in, frames to `receive`, bytes out."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from engine.errors import BadFrameLength, SendBufferFull
from engine.settings import Settings
from engine.wire.framing import framing_for, guess
from engine.worker.intake import Intake

log = logging.getLogger(__name__)

LINGER_S = 1.0
"""How long a client that was closed may go on sending before its socket is closed."""
COROUTINES_AT_ONCE = 16
"""Frames that become coroutines before these get to run: they may find that there is too much to do already."""


class Owner(Protocol):
    """The worker as its connections see it: admit, opened, received …, ended, closed, in this order."""

    settings: Settings

    def admit(self, connection: "Connection") -> int:
        """Take the connection in and give its session number; 0 when it cannot be served."""

    def opened(self, connection: "Connection") -> None:
        """It has its number and may be used."""

    def received(self, fd: int, frame: bytes) -> Awaitable[Any] | None:
        """Handle a frame; what is returned is still at work on it."""

    def count_in(self, count: int) -> None:
        """So many bytes came from the client."""

    def count_out(self, count: int) -> None:
        """So many bytes were given to its transport."""

    def later(self, delay_s: float, call: Callable[[], None]) -> asyncio.Handle:
        """Call it then; 0 is as soon as what runs now is through."""

    def ended(self, connection: "Connection") -> None:
        """It takes and gives nothing any more; bytes may still be on their way to the client."""

    def closed(self, connection: "Connection") -> None:
        """Its socket is gone."""


class Connection(asyncio.Protocol):
    """A client's connection. `fd` is its session number, given when it opens."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._framing = framing_for(owner.settings)
        self._transport: asyncio.Transport | None = None
        self._intake: Intake
        self._at_work = 0  # frames whose coroutine is not through
        self._takes_frames = True  # neither paused nor ended
        self._is_handing_out = False
        self._is_paused = False
        self._is_ended = False
        self._reads_no_more = False
        self._peer_is_done = False
        self._lingering: asyncio.Handle | None = None
        self._next_turn: asyncio.Handle | None = None
        """Set while frames are here that the next loop turn hands out."""
        self.fd = 0
        self.connected_at = time.time()
        self.heard_at = time.monotonic()
        """When the last byte came, or the count began anew after a pause or with its end."""
        self.begun_at = 0.0
        """When the first byte came of the frame that is here in part; 0 when there is none."""
        self.peer: tuple[str, int] = ("", 0)

    # ── what the transport tells ────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._intake = Intake(self._transport, self._owner.later)
        if not self._owner.settings.open_tcp_nodelay:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        self.peer = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.fd = self._owner.admit(self)
        if not self.fd:
            self._is_ended = True
            self._transport.abort()
            return
        self._owner.opened(self)
        self._intake.begin()

    def data_received(self, data: bytes) -> None:
        self._owner.count_in(len(data))
        if self._is_ended:
            return  # see close
        self.heard_at = time.monotonic()
        self._framing.feed(data)
        if self._is_paused:
            self._intake.hold()  # see pause
        self._hand_out()

    def eof_received(self) -> bool:
        """A client may say its last word and still wait for answers: stay until its frames are dealt with.

        Not over TLS: the transport ends there with the client's close_notify, whatever is returned here.
        """
        self._peer_is_done = True
        if self._transport is None or not self._transport.can_write_eof():
            return False
        return not self._close_when_done() and not self._is_ended

    def resume_writing(self) -> None:
        """What waited is sent."""
        if self._is_ended:
            self._linger()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._lingering:
            self._lingering.cancel()
        while self._next_turn:  # no later turn is ours
            self._next_turn.cancel()
            self._next_turn = None
            self._hand_out()
        if not self._is_paused:  # or it still has frames to give, see resume
            self._finish()

    # ── frames ──────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self) -> None:
        """Give the owner the frames that are here. It may pause or close us in the middle."""
        if self._is_handing_out or self._next_turn:
            return  # resumed by a callback of ours: the loop below, or the next turn, goes on, in order
        self._is_handing_out = True
        is_new, begun = self.begun_at == 0.0, 0
        try:
            while self._takes_frames and (frame := self._framing.next_frame()) is not None:
                is_new = True
                if work := self._owner.received(self.fd, frame):
                    self._at_work += 1
                    asyncio.ensure_future(work).add_done_callback(self._work_done)
                    begun += 1
                    if begun == COROUTINES_AT_ONCE:
                        self._intake.hold()
                        self._next_turn = self._owner.later(0, self._go_on)
                        break
        except BadFrameLength as error:
            log.warning(
                "connection closed, its frame length cannot be",
                extra={
                    "peer": self.address,
                    "announced_bytes": error.announced_bytes,
                    "limit_bytes": error.limit_bytes,
                    "head": error.head.hex(" "),
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

    def _go_on(self) -> None:
        """The coroutines that were begun have run until they wait for something."""
        self._next_turn = None
        if self._is_paused or self._is_ended:
            return
        self._hand_out()
        if not (self._next_turn or self._is_paused or self._reads_no_more or self._peer_is_done or self._is_ended):
            self._intake.let()
        self._see_to_the_end()

    def _work_done(self, _work: object) -> None:
        self._at_work -= 1
        if self._peer_is_done:
            self._close_when_done()

    def _close_when_done(self) -> bool:
        return not (self._at_work or self._next_turn or self._is_paused) and self.close()

    # ── how it is ───────────────────────────────────────────────────────────────────────────────

    @property
    def address(self) -> str:
        """The peer's, for the log."""
        return f"{self.peer[0]}:{self.peer[1]}"

    @property
    def is_listening(self) -> bool:
        """Whether the client's silence is its own: it may speak, and we would hear it."""
        return not (self._is_paused or self._is_ended or self._reads_no_more or self._peer_is_done)

    @property
    def has_work(self) -> bool:
        """Whether something is under way: a frame begun or at work, an answer not sent, a pause.

        A task that a frame was made into is nothing the connection knows of.
        """
        waiting = self._transport.get_write_buffer_size() if self._transport else 0
        return bool(self._is_paused or self._at_work or self._next_turn or waiting or self._framing.is_begun)

    # ── what the worker asks ────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> bool:
        """Hand bytes to the transport; False when it is closed. Raises SendBufferFull when too much waits."""
        if self._is_ended or self._transport is None or self._transport.is_closing():
            return False
        waiting = self._transport.get_write_buffer_size()
        limit = self._owner.settings.buffer_output_size
        if waiting and waiting + len(data) > limit:
            raise SendBufferFull(self.fd, waiting, limit)
        self._transport.write(data)
        self._owner.count_out(len(data))
        return True

    def pause(self) -> None:
        """Hand out nothing until `resume`, and read once more at most.

        Once, so that a client of few words has its turn at the next `resume`: its bytes are here then, and it is not
        overtaken again and again by one whose bytes always are.
        """
        if not (self._is_paused or self._is_ended):
            self._is_paused = True
            self._takes_frames = False
            if self._is_handing_out:
                self._intake.hold()

    def resume(self) -> None:
        """Hand out what came before the pause, and read on. It may be paused again by that."""
        if not self._is_paused:
            return
        self._is_paused = False
        self._takes_frames = True
        self.heard_at = time.monotonic()
        self.begun_at = 0.0
        if not (self._reads_no_more or self._peer_is_done):
            self._intake.let()
        self._hand_out()
        self._see_to_the_end()

    def _see_to_the_end(self) -> None:
        """The client may be gone, or have said its last word, before all its frames were handed out."""
        if self._is_handing_out or self._next_turn or self._is_paused or self._is_ended:
            return
        if self._transport is None:
            self._finish()
        elif self._peer_is_done:
            self._close_when_done()

    def stop_reading(self) -> None:
        """Leave what the client sends from now on in the kernel, until it is closed."""
        self._reads_no_more = True
        if not self._is_ended:
            self._intake.hold()

    # ── the end ─────────────────────────────────────────────────────────────────────────────────

    def close(self) -> bool:
        """Close once what waits is sent; False when it is closed already.

        The client is told that nothing more comes, and what it still sends is dropped, until it closes as well or
        LINGER_S is over. Closing the socket with its bytes unread would send a reset, and a client that gets one may
        lose the answer that came before. Source: RFC 1122 section 4.2.2.13, RFC 2525 section 2.17.
        """
        if self._is_ended:
            return False
        transport = self._transport
        is_gone = transport is None or transport.is_closing()
        self._end()
        if transport is None:
            self._finish()
        elif not transport.can_write_eof():  # TLS has no half-close; it drops what comes until the client says good-bye
            self._intake.let_drain()
            transport.close()
        elif self._peer_is_done:
            transport.close()
        elif not is_gone:
            transport.write_eof()
            self._intake.let()
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
        if not self._is_ended:
            self._is_ended = True
            self._takes_frames = self._is_paused = False
            self.heard_at = time.monotonic()
            self._owner.ended(self)

    def _finish(self) -> None:
        if self.fd:  # or it was never admitted
            self._end()
            self._owner.closed(self)
