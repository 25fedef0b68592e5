"""What a message centre may say, looked at in every way that the product looks at it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from app.gateways.smpp.account import Account
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.errors import ProtocolError
from app.gateways.smpp.link import Link
from app.gateways.smpp.pdu import decode, encode, encode_raw
from app.gateways.smpp.receipt import IdForm, Receipt, Reply, read
from app.gateways.smpp.stream import MAX_PDU_BYTES, Frame, PduStream
from app.gateways.smpp.submission import Envelope, Submissions

BODY = Submissions(Envelope()).bodies("138", "hello", 1)
SUBMITTED = 5


class Transport:
    """Takes everything. What is written stays for a look."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Whatever."""

    def pause_reading(self) -> None:
        """Whatever."""

    resume_reading = pause_reading


def look_at(data: bytes, play: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run) -> None:
    """Raises nothing for any bytes; asserts what must hold of them. The first byte says how the others are cut. `play`
    runs a coroutine to its end."""
    if not data:
        return
    step, stream = 1 + data[0], data[1:]
    whole = _frames(stream, len(stream) or 1)
    assert _frames(stream, step) == whole
    for frame in whole:
        _look_at_frame(frame)
    play(_play(stream, step))


def _frames(stream: bytes, step: int) -> list[Frame]:
    cutter = PduStream()
    frames = []
    for at in range(0, len(stream), step):
        frames += cutter.feed(stream[at : at + step])
        assert cutter.held_bytes <= MAX_PDU_BYTES
    return frames


def _look_at_frame(frame: Frame) -> None:
    try:
        pdu = decode(frame)
    except ProtocolError as error:
        assert error.status
        return
    again = encode(pdu)
    assert decode((*frame[:3], again[16:])) == pdu
    for ids in IdForm:
        said = read(pdu, ids)
        assert said is None or isinstance(said, Receipt | Reply)


async def _play(stream: bytes, step: int) -> None:
    """A bound link with submissions under way hears it: each of them is told once."""
    told: list[Any] = []
    delivered = 0

    def on_report(link: Link) -> None:
        told.extend(link.window.answers)
        link.window.answers.clear()

    async def on_deliver(pdus: Any) -> None:
        nonlocal delivered
        delivered += len(pdus)

    link, transport = Link(Account(host="h", system_id="s"), on_report, on_deliver), Transport()
    link.connection_made(cast(asyncio.Transport, transport))
    link.data_received(encode_raw(Command.BIND_TRANSCEIVER_RESP, 0, 1, b"\0"))
    assert link.is_open
    assert link.submit([(token, BODY) for token in range(SUBMITTED)]) == SUBMITTED
    await asyncio.sleep(0)
    for at in range(0, len(stream), step):
        if not transport.is_closed:
            link.data_received(stream[at : at + step])
    await asyncio.sleep(0)
    await link.drained()
    link.connection_lost(None)
    assert sorted(answer.token for answer in told) == list(range(SUBMITTED))
    written = [command & ~IS_ANSWER for command, *_ in PduStream().feed(transport.written)]
    # After an unbind or a length that cannot be, nothing is acknowledged: the message centre sends it again.
    assert transport.is_closed or sum(map(written.count, (Command.DELIVER_SM, Command.DATA_SM))) >= delivered
