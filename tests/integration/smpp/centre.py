"""A message centre that does what a test tells it to, in the loop of the test."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import uvloop

from app.gateways.smpp.account import Account
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.pdu import Pdu, encode, encode_raw
from app.gateways.smpp.session import Session
from app.gateways.smpp.stream import Frame, PduStream
from app.gateways.smpp.submission import Envelope, Submissions
from app.gateways.smpp.window import Answer, Outcome

T = TypeVar("T")
LONGEST_S = 90.0
BINDS = (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)
BODY = Submissions(Envelope()).bodies("13800000000", "hello", 1)[0]


def run(scene: Coroutine[Any, Any, T]) -> T:
    """Play a scene, in the loop that the engine uses; it ends."""

    async def within() -> T:
        async with asyncio.timeout(LONGEST_S):
            return await scene

    return uvloop.run(within())


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds. What holds must be caused by the loop."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


class Caller:
    """One connection, as the message centre sees it."""

    def __init__(self, centre: "Centre", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._centre = centre
        self._reader = reader
        self._writer = writer
        self.heard: list[Frame] = []

    def say(self, command: int, sequence: int, status: int = 0, body: bytes = b"") -> None:
        self.say_bytes(encode_raw(command, status, sequence, body))

    def say_bytes(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def deliver(self, sequence: int, text: str, **fields: int | str) -> None:
        fields = {"source_addr": "13800000000", "destination_addr": "1069", "esm_class": 4, **fields}
        self.say_bytes(encode(Pdu(Command.DELIVER_SM, sequence, 0, {**fields, "short_message": text.encode()})))

    def hang_up(self) -> None:
        self._writer.transport.abort()

    def heard_of(self, command: Command) -> list[Frame]:
        return [frame for frame in self.heard if frame[0] == command]

    async def listen(self) -> None:
        stream = PduStream()
        while data := await self._reader.read(2**16):
            for frame in stream.feed(data):
                self.heard.append(frame)
                await self._centre.on_frame(self, frame)

    async def polite(self, frame: Frame) -> None:
        """Answer as one should; the id is the sequence number."""
        command, _, sequence, _ = frame
        if command in BINDS:
            self.say(command | IS_ANSWER, sequence, body=b"centre\0")
        elif command == Command.SUBMIT_SM:
            self.say(command | IS_ANSWER, sequence, body=b"%d\0" % sequence)
        elif not command & IS_ANSWER:
            self.say(command | IS_ANSWER, sequence)


class Centre:
    """`on_frame` may be replaced at any time."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.on_frame: Callable[[Caller, Frame], Awaitable[None]] = Caller.polite
        self.port = 0

    @property
    def caller(self) -> Caller:
        """Who connected last."""
        return self.callers[-1]

    def submitted(self) -> list[Frame]:
        return [frame for caller in self.callers for frame in caller.heard_of(Command.SUBMIT_SM)]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = Caller(self, reader, writer)
        self.callers.append(caller)
        try:
            await caller.listen()
        except ConnectionError:
            pass  # hung up, by either side
        finally:
            writer.close()


@asynccontextmanager
async def running_centre(tls: ssl.SSLContext | None = None, buffer_bytes: int = 2**16) -> AsyncIterator[Centre]:
    centre = Centre()
    server = await asyncio.start_server(centre.accept, "127.0.0.1", 0, ssl=tls, limit=buffer_bytes)
    centre.port = server.sockets[0].getsockname()[1]
    try:
        yield centre
    finally:
        server.close()
        for caller in centre.callers:
            caller.hang_up()


class Told:
    """What a session told."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.late: list[Answer] = []
        self.delivered: list[Pdu] = []

    async def on_deliver(self, pdus: Any) -> None:
        self.delivered += pdus

    def tokens(self, outcome: Outcome) -> list[Any]:
        return sorted(answer.token for answer in self.answers if answer.outcome is outcome)


@asynccontextmanager
async def session_with(port: int, told: Told, **settings: Any) -> AsyncIterator[Session]:
    """A session that is patient for a moment only."""
    quick = {"system_id": "sms", "first_pause_s": 0.02, "longest_pause_s": 0.1, "answer_timeout_s": 5.0}
    account = Account(host="127.0.0.1", port=port, **(quick | settings))
    async with Session(
        account, on_answers=told.answers.extend, on_late=told.late.extend, on_deliver=told.on_deliver
    ) as session:
        yield session
