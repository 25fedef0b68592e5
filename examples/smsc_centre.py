"""The demo message centre itself: who is bound, what they submit, and what they are sent.

What one turn of the event loop brings is written down in one write, and only then answered, in one write a client.
"""

import asyncio
import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from app.gateways.smpp import status
from app.gateways.smpp.alphabet import decode as text_of
from app.gateways.smpp.commands import IS_ANSWER, Command, Tlv
from app.gateways.smpp.errors import ProtocolError, UnknownCommand
from app.gateways.smpp.pdu import Pdu, decode, encode_raw, encode_tlv
from app.gateways.smpp.stream import HEADER
from engine import SendBufferFull, Server
from examples.smsc_book import Book, Owed
from examples.smsc_faults import Faults, Form, Plan

BINDS = {
    Command.BIND_TRANSMITTER: (True, False),
    Command.BIND_RECEIVER: (False, True),
    Command.BIND_TRANSCEIVER: (True, True),
}
"""Whether such a session submits, and whether it is sent receipts."""
AGAIN_S = 1.0
"""After so long a receipt that was refused for now is sent again."""
WORDS = {1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"}


@dataclass(slots=True)
class Reply:
    """What somebody with a phone writes to a number of ours."""

    system_id: str
    number: str
    to: str
    text: str


@dataclass(slots=True)
class Peer:
    """A bound session."""

    system_id: str
    submits: bool
    receives: bool
    under_way: dict[int, Owed | Reply] = field(default_factory=dict)
    """By sequence number: what was sent to it and is not acknowledged."""
    sequence: int = 0
    out: list[bytes] = field(default_factory=list)


class Centre:
    """Lives in the one event worker of its server."""

    def __init__(self, server: Server, faults: Faults, log: Path, window: int, password: str) -> None:
        self.faults = faults
        self._server = server
        self._password = password
        self._window = window
        self._book = Book(log)
        self._peers: dict[int, Peer] = {}
        self._due: list[tuple[float, int, Owed | Reply]] = []
        self._ready: dict[str, deque[Owed | Reply]] = {}
        # Ids rise over restarts: no centre gives out a million a second.
        self._message_id = time.time_ns() // 1000
        self._ties = 0
        self._is_flushing = False
        for owed in self._book.left_over:
            self._send_at(time.time(), owed)

    # ── what a client says ──────────────────────────────────────────────────────────────────────

    def receive(self, fd: int, frame: bytes) -> None:
        """One PDU."""
        _, command, code, sequence = HEADER.unpack_from(frame)
        peer = self._peers.get(fd)
        if command == Command.DELIVER_SM_RESP and peer:
            self._acknowledged(peer, sequence, code)
            return
        try:
            pdu = decode((command, code, sequence, frame[HEADER.size :]))
        except ProtocolError as error:
            answer = Command.GENERIC_NACK if isinstance(error, UnknownCommand) else command | IS_ANSWER
            self._server.send(fd, encode_raw(answer, error.status, sequence))
            return
        match pdu.command:
            case Command.SUBMIT_SM if peer and peer.submits:
                self._submitted(fd, peer, pdu)
            case Command.BIND_TRANSMITTER | Command.BIND_RECEIVER | Command.BIND_TRANSCEIVER:
                self._bind(fd, pdu)
            case Command.ENQUIRE_LINK:
                self._server.send(fd, encode_raw(Command.ENQUIRE_LINK_RESP, 0, sequence))
            case Command.UNBIND:
                self._flush()
                self.closed(fd)
                self._server.send(fd, encode_raw(Command.UNBIND_RESP, 0, sequence))
                self._server.close(fd)
            case Command.SUBMIT_SM:
                self._server.send(fd, encode_raw(Command.SUBMIT_SM_RESP, status.ESME_RINVBNDSTS, sequence))
            case _ if not command & IS_ANSWER:
                self._server.send(fd, encode_raw(Command.GENERIC_NACK, status.ESME_RINVCMDID, sequence))

    def _bind(self, fd: int, pdu: Pdu) -> None:
        answer = pdu.command | IS_ANSWER
        if fd in self._peers:
            self._server.send(fd, encode_raw(answer, status.ESME_RALYBND, pdu.sequence))
        elif self._password and pdu.text("password") != self._password:
            self._server.send(fd, encode_raw(answer, status.ESME_RINVPASWD, pdu.sequence))
            self._server.close(fd)
        else:
            submits, receives = BINDS[pdu.command]
            self._peers[fd] = Peer(pdu.text("system_id"), submits, receives)
            self._server.send(fd, encode_raw(answer, 0, pdu.sequence, b"smsc\0"))
            self._pump(self._peers[fd].system_id)

    def closed(self, fd: int) -> None:
        """What it did not acknowledge goes to another session, or waits for one."""
        if peer := self._peers.pop(fd, None):
            self._queue(peer.system_id).extendleft(reversed(peer.under_way.values()))
            self._pump(peer.system_id)

    def disconnect_all(self) -> None:
        """Hang up."""
        for fd in list(self._peers):
            self.closed(fd)
            self._server.close(fd)

    # ── submissions ─────────────────────────────────────────────────────────────────────────────

    def _submitted(self, fd: int, peer: Peer, pdu: Pdu) -> None:
        now = time.time()
        number = pdu.text("destination_addr")
        plan = self.faults.plan(number, now)
        reference = pdu.tlv_number(Tlv.USER_MESSAGE_REFERENCE)
        message_id = 0 if plan.status else self._next_id()
        shown_id, shown_reference = str(message_id or ""), "" if reference is None else str(reference)
        self._book.note(now, peer.system_id, number, shown_id, shown_reference, _text(pdu))
        if message_id:
            self._promise(peer, pdu, plan, message_id, now)
        if plan.disconnect:
            asyncio.get_running_loop().call_soon(self._hang_up, fd)
        elif plan.answers:
            body = b"" if plan.status else b"%d\0" % message_id
            answer = encode_raw(Command.SUBMIT_SM_RESP, plan.status, pdu.sequence, body) * plan.answers
            if plan.answer_after_s:
                self._server.after(max(1.0, plan.answer_after_s * 1000), self._server.send, fd, answer)
            else:
                peer.out.append(answer)
        self._flush_soon()

    def _next_id(self) -> int:
        self._message_id += 1
        return self._message_id

    def _promise(self, peer: Peer, pdu: Pdu, plan: Plan, message_id: int, now: float) -> None:
        """Note what else is to come of a message that was accepted."""
        number, source = pdu.text("destination_addr"), pdu.text("source_addr")
        if plan.receipts and pdu.number("registered_delivery") & 3:
            owed = Owed(message_id, peer.system_id, number, source, plan.state, plan.form)
            self._book.owe(owed)
            if plan.receipt_early:
                self._queue(peer.system_id).append(owed)
                self._pump(peer.system_id)
            for _ in range(plan.receipts - plan.receipt_early):
                self._send_at(now + self.faults.options.receipts_after, owed)
        if plan.reply:
            self.reply(Reply(peer.system_id, number, source, plan.reply), self.faults.options.receipts_after)

    def _hang_up(self, fd: int) -> None:
        self._flush()
        self.closed(fd)
        self._server.close(fd)

    # ── receipts and replies ────────────────────────────────────────────────────────────────────

    def reply(self, reply: Reply, after_s: float = 0.0) -> None:
        """Somebody writes. Without a system id it goes to everybody who is bound to receive."""
        if reply.system_id:
            self._send_at(time.time() + after_s, reply)
            return
        for system_id in {peer.system_id for peer in self._peers.values() if peer.receives}:
            self._send_at(time.time() + after_s, Reply(system_id, reply.number, reply.to, reply.text))

    def _send_at(self, when: float, what: Owed | Reply) -> None:
        self._ties += 1
        heapq.heappush(self._due, (when, self._ties, what))

    def send_due(self) -> None:
        """Called every some milliseconds."""
        now = time.time()
        touched = set()
        while self._due and self._due[0][0] <= now:
            what = heapq.heappop(self._due)[2]
            self._queue(what.system_id).append(what)
            touched.add(what.system_id)
        for system_id in touched:
            self._pump(system_id)

    def _queue(self, system_id: str) -> deque[Owed | Reply]:
        return self._ready.setdefault(system_id, deque())

    def _pump(self, system_id: str) -> None:
        """Send what is due to the sessions of that name, as far as their windows allow."""
        queue = self._queue(system_id)
        for peer in list(self._peers.values()) if queue else ():
            if peer.receives and peer.system_id == system_id:
                while queue and len(peer.under_way) < self._window:
                    what = queue.popleft()
                    peer.sequence += 1
                    peer.under_way[peer.sequence] = what
                    peer.out.append(self._encode(peer.sequence, what))
        self._flush_soon()

    def _acknowledged(self, peer: Peer, sequence: int, code: int) -> None:
        what = peer.under_way.pop(sequence, None)
        if what is None:
            return
        if status.kind(code) in (status.Kind.TEMPORARY, status.Kind.THROTTLED):
            self._send_at(time.time() + AGAIN_S, what)
        elif isinstance(what, Owed):
            self._book.settle(what.message_id)
        if self._queue(peer.system_id):
            self._pump(peer.system_id)
        self._flush_soon()

    def _encode(self, sequence: int, what: Owed | Reply) -> bytes:
        if isinstance(what, Reply):
            wide = not what.text.isascii()
            message = what.text.encode("utf-16-be" if wide else "ascii")
            return _deliver(sequence, what.number, what.to, 0, 8 if wide else 0, message[:254])
        message_id = f"{what.message_id:X}" if self.faults.options.receipt_hex else str(what.message_id)
        text = b"" if what.form == Form.TLV else _receipt_text(message_id, what.state, what.form).encode()
        tlvs = b""
        if what.form in (Form.BOTH, Form.TLV):
            tlvs = encode_tlv(Tlv.RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0")
            tlvs += encode_tlv(Tlv.MESSAGE_STATE, bytes([what.state]))
        return _deliver(sequence, what.number, what.source, 4, 0, text, tlvs)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """The log first."""
        self._is_flushing = False
        self._book.write()
        for fd, peer in list(self._peers.items()):
            if peer.out:
                whole = b"".join(peer.out)
                peer.out.clear()
                try:
                    self._server.send(fd, whole)
                except SendBufferFull:  # it does not read; whatever it did not acknowledge is sent again
                    self.closed(fd)
                    self._server.close(fd)


def _deliver(
    sequence: int, source: str, to: str, esm_class: int, coding: int, message: bytes, tlvs: bytes = b""
) -> bytes:
    """A deliver_sm, made without looking at each field: there are many."""
    addresses = source.encode("latin-1"), to.encode("latin-1")
    body = b"\0\1\1%b\0\1\1%b\0%c\0\0\0\0\0\0%c\0%c" % (*addresses, esm_class, coding, len(message))
    return encode_raw(Command.DELIVER_SM, 0, sequence, body + message + tlvs)


def _text(pdu: Pdu) -> str:
    message, has_header = pdu.message, pdu.number("esm_class") & 0x40
    return text_of(message[1 + message[0] :] if has_header and message else message, pdu.number("data_coding"))


def _receipt_text(message_id: str, state: int, form: str) -> str:
    if form == Form.ODD:
        return f"Stat: {WORDS[state].lower()}  done_date:2611260701 ERR:0A1 ID: {message_id}"
    when = _minute(int(time.time()) // 60)
    delivered = 1 if state == 2 else 0
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03} submit date:{when} done date:{when} stat:{WORDS[state]} "
        f"err:{0 if delivered else 1:03} text:"
    )


@lru_cache(maxsize=1)
def _minute(minutes: int) -> str:
    return time.strftime("%y%m%d%H%M", time.gmtime(minutes * 60))
