"""One connection to a message centre, from its bind to its end.

What is submitted in one turn of the loop leaves in one write. While the kernel does not take all of it, the next waits
here and not in the transport, so that it is known what did not leave: what is in `Window.unsent` when the link is lost.
What the transport was given counts as having left, for nobody knows how much of that did.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, cast

from app.gateways.smpp import status
from app.gateways.smpp.account import COMMANDS, Account
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.errors import BindRefused, LinkUnusable, ProtocolError, UnknownCommand
from app.gateways.smpp.inbound import Inbound, OnDeliver
from app.gateways.smpp.oddities import Oddities
from app.gateways.smpp.pdu import Pdu, Value, decode, encode, encode_raw
from app.gateways.smpp.stream import Frame, PduStream
from app.gateways.smpp.window import Window

VERSION = 0x34
WRITE_PDUS = 256
"""So many are given to the transport at a time."""
MOST_UNREAD_BYTES = 2**22
"""A message centre that lets so many of our answers wait does not read: its link is given up."""
AFTER_HOLD_S = 1.0
"""Answers that came while we did not read are looked at before anything is given up."""


class Link(asyncio.Protocol):
    """`on_report` is called when the window has something to tell, or room. `bound` and `lost` are done in their time:
    `bound` with BindRefused or LinkUnusable where it comes to none."""

    def __init__(
        self,
        account: Account,
        on_report: Callable[["Link"], None],
        on_deliver: OnDeliver | None,
        oddities: Oddities | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._account = account
        self._on_report = on_report
        self._stream = PduStream()
        self._transport: asyncio.Transport
        self.window = Window(account.window, account.answer_timeout_s)
        self._inbound = Inbound(on_deliver, self._acknowledge, self._hold, self._release, account.waiting_delivers)
        self.oddities = oddities or Oddities(account.where)
        self.bound: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._unbound: asyncio.Future[None] = self._loop.create_future()
        self._empty: asyncio.Future[None] | None = None
        """Done when all is answered; somebody waits for that."""
        self._parting: asyncio.Task[None] | None = None
        """At work once the message centre has unbound us."""
        self._bind_sequence = 0
        self._is_bound = False
        self._is_closing = False
        self._is_full = False
        """The transport holds bytes that the kernel did not take."""
        self._is_flushing = False
        self._is_silent = False
        """Whether it left a submission unanswered, and nothing was heard since that left."""
        self._heard_at = self._loop.time()
        self._asked_at = 0.0
        self._patient_until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # ── what is asked of it ─────────────────────────────────────────────────────────────────────

    @property
    def is_open(self) -> bool:
        """Whether it takes submissions. One that leads nowhere takes none: each would be in doubt."""
        return self._is_bound and not self._is_closing and not self._is_silent

    def submit(self, messages: Iterable[tuple[Any, list[bytes]]]) -> int:
        """How many of them were taken: up to the first that the window has no room for, and none where the link does
        not take any."""
        if not self.is_open:
            return 0
        taken = self.window.add(messages, self._loop.time())
        if taken and not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)
        return taken

    async def close(self) -> None:
        """Wait for what is under way, each step for the answer timeout at most, unbind, and close."""
        self._is_closing = True
        limit_s = self._account.answer_timeout_s
        if len(self.window):
            self._empty = self._loop.create_future()
            until = [self.lost, self._empty]
            await asyncio.wait(until, timeout=limit_s + 2 * AFTER_HOLD_S, return_when=asyncio.FIRST_COMPLETED)
        self._inbound.end()  # receipts may come and come
        with contextlib.suppress(TimeoutError):  # what is not recorded is not acknowledged, and comes again
            async with asyncio.timeout(limit_s):
                await self._inbound.drained()
        await self._inbound.stop()
        if not self.lost.done():
            self._send(Command.UNBIND, self.window.next_sequence())
            done, _ = await asyncio.wait(
                [self.lost, self._unbound], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self.oddities.note("message centre does not answer our unbind")
            self._transport.close()
            await asyncio.wait([self.lost], timeout=limit_s)
            self._transport.abort()
            await asyncio.wait([self.lost])

    async def drained(self) -> None:
        """Wait until what came is recorded."""
        await self._inbound.drained()

    async def stop(self) -> None:
        """Close at once, record nothing more."""
        self._transport.abort()
        await asyncio.wait([self.lost])
        await self._inbound.stop()

    # ── what the transport tells ────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Not high=0: TLS transports pause at `high`, so they would pause with nothing in them, and wait for ever.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._bind_sequence = self.window.next_sequence()
        fields: dict[str, Value] = {
            "system_id": self._account.system_id,
            "password": self._account.password,
            "system_type": self._account.system_type,
            "interface_version": VERSION,
            "address_range": self._account.address_range,
        }
        self._write(encode(Pdu(COMMANDS[self._account.bind], self._bind_sequence, 0, fields)))
        self._look()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._is_silent = False
        settle = self.window.settle
        for frame in self._stream.feed(data):
            if frame[0] == Command.SUBMIT_SM_RESP:
                if not settle(frame[2], frame[1], frame[3]):
                    self.oddities.note("message centre answers what nobody asked")
            else:
                self._handle(frame)
        if self._stream.broken and not self._transport.is_closing():
            self.oddities.note(
                "message centre sent a PDU of an impossible length, link closed",
                announced_bytes=self._stream.broken.announced_bytes,
            )
            self._send(Command.GENERIC_NACK, 0, self._stream.broken.status)
            self._transport.close()
        self._report()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._watch, self._expiry):
            if timer:
                timer.cancel()
        if self._parting:
            self._parting.cancel()
        self._is_bound, self._is_closing = False, True
        if not self.bound.done():
            why = error or "it closed the connection"
            self.bound.set_exception(LinkUnusable(f"the message centre at {self._account.where} is none: {why}"))
        self.window.lose()
        self._report()
        self.lost.set_result(None)

    def _report(self) -> None:
        self._on_report(self)
        if self._empty and not len(self.window) and not self._empty.done():
            self._empty.set_result(None)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        """Give what was submitted to the transport, unless it has some."""
        self._is_flushing = False
        unsent = self.window.unsent
        while unsent and not self._is_full and not self._transport.is_closing():
            if len(unsent) <= WRITE_PDUS:
                whole = b"".join(unsent.values())
                unsent.clear()
            else:
                whole = b"".join([unsent.pop(sequence) for sequence in list(islice(unsent, WRITE_PDUS))])
            self._transport.write(whole)
        if self._expiry is None:
            self._arm()

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self.oddities.note("message centre does not read what it is sent, link given up")
            self._transport.abort()

    def _send(self, command: int, sequence: int, code: int = 0, body: bytes = b"") -> None:
        self._write(encode_raw(command, code, sequence, body))

    def _acknowledge(self, pdus: Sequence[Pdu], code: int) -> None:
        """Answer deliver_sm and data_sm; with no word where the link is gone."""
        self._write(b"".join(encode_raw(pdu.command | IS_ANSWER, code, pdu.sequence, b"\0") for pdu in pdus))

    # ── in ──────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, frame: Frame) -> None:
        """Whatever is no answer to a submission."""
        command, code, sequence, _ = frame
        match command:
            case Command.ENQUIRE_LINK:
                self._send(Command.ENQUIRE_LINK_RESP, sequence)
            case Command.ENQUIRE_LINK_RESP:
                pass  # that we heard something is all that counts
            case Command.DELIVER_SM | Command.DATA_SM if self._is_bound:
                self._deliver(frame)
            case Command.UNBIND:
                self.oddities.note("message centre unbinds us")
                self._is_closing = True
                self._parting = self._parting or asyncio.create_task(self._part(sequence))
            case Command.UNBIND_RESP if self._is_closing:
                if not self._unbound.done():
                    self._unbound.set_result(None)
            case Command.GENERIC_NACK if self.window.settle(sequence, code or status.ESME_RSYSERR, b""):
                self.oddities.note("message centre does not understand a submission", status=status.explain(code))
            case _ if not self._is_bound and sequence == self._bind_sequence and command & IS_ANSWER:
                self._note_bind(command, code)
            case _ if command & IS_ANSWER:
                self.oddities.note("message centre answers what nobody asked", command=f"{command:#010x}")
            case Command.ALERT_NOTIFICATION | Command.OUTBIND:
                self.oddities.note("message centre says something that we have no use for", command=f"{command:#010x}")
            case _:
                is_early = command in (Command.DELIVER_SM, Command.DATA_SM)
                why = status.ESME_RINVBNDSTS if is_early else UnknownCommand.status
                self.oddities.note("message centre sent a request that is not for us", command=f"{command:#010x}")
                self._send(Command.GENERIC_NACK, sequence, why)

    def _deliver(self, frame: Frame) -> None:
        try:
            pdu = decode(frame)
        except ProtocolError as error:
            self.oddities.note("message centre sent a receipt or reply that cannot be read", error=str(error))
            self._send(frame[0] | IS_ANSWER, frame[2], error.status, b"\0")
            return
        self._inbound.take(pdu)

    async def _part(self, sequence: int) -> None:
        """We are unbound. What came before that is acknowledged first, if it does not take too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._account.answer_timeout_s):
                await self._inbound.drained()
        self._send(Command.UNBIND_RESP, sequence)
        self._transport.close()

    def _note_bind(self, command: int, code: int) -> None:
        if self.bound.done():
            return
        if command == COMMANDS[self._account.bind] | IS_ANSWER and not code:
            self._is_bound = True
            self.bound.set_result(None)
        else:
            self.bound.set_exception(BindRefused(self._account.where, code or status.ESME_RBINDFAIL))
            self._transport.close()

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def _hold(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _release(self) -> None:
        self._patient_until = self._heard_at = self._loop.time() + AFTER_HOLD_S
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _arm(self) -> None:
        """Look again when the oldest submission is to be given up."""
        deadline = self.window.deadline
        if deadline is not None and not self.lost.done():
            when = max(deadline, self._patient_until, self._loop.time() + 0.001)
            self._expiry = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = self._loop.time()
        if self._inbound.is_holding:
            self._patient_until = now + AFTER_HOLD_S
        elif now >= self._patient_until:
            if self.window.expire(now) and self._heard_at <= now - self._account.answer_timeout_s:
                self._ask_whether_it_is_there(now)
            self._report()
        self._arm()

    def _ask_whether_it_is_there(self, now: float) -> None:
        """At once, and nothing is submitted before it says something."""
        self._is_silent = True
        if self._watch and not self._transport.is_closing():
            self._watch.cancel()
            if self._asked_at <= self._heard_at:
                self._ask(now)
            self._look()

    def _look(self) -> None:
        """Is anybody there?"""
        now, account = self._loop.time(), self._account
        if self._inbound.is_holding or not self._is_bound:
            wait_s = 1.0
        elif self._asked_at > self._heard_at:
            wait_s = self._asked_at + account.answer_timeout_s - now
            if wait_s <= 0:
                self.oddities.note("message centre is silent, link given up", silent_s=round(now - self._heard_at, 1))
                self._transport.abort()
                return
        else:
            wait_s = self._heard_at + account.enquire_link_s - now
            if wait_s <= 0:
                self._ask(now)
                wait_s = account.answer_timeout_s
        self._watch = self._loop.call_later(max(min(wait_s, account.enquire_link_s), 0.01), self._look)

    def _ask(self, now: float) -> None:
        self._asked_at = now
        self._send(Command.ENQUIRE_LINK, self.window.next_sequence())
