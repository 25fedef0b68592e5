"""A message centre that breaks the protocol gets clear log lines, costs no message, and fills no memory."""

import asyncio
import contextlib
import random

import pytest

from app.errors import GatewayAway
from app.gateways.accounts import SmppAccount
from app.gateways.smpp import status
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.network import SmppNetwork
from app.gateways.smpp.stream import Frame
from app.gateways.smpp.window import Answer, Outcome
from tests.integration.smpp.centre import BINDS, BODY, Caller, Told, run, running_centre, session_with, until
from tests.ports import free_port


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    "length",
    [0, 15, 2**16 + 1, 2**32 - 1],
)
def test_a_length_that_no_pdu_has_closes_the_link_and_the_next_one_works(
    length: int, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            first = centre.caller
            first.say_bytes(length.to_bytes(4, "big"))
            await until(lambda: len(centre.callers) == 2)
            assert [frame[1] for frame in first.heard_of(Command.GENERIC_NACK)] == [status.ESME_RINVCMDLEN]
            await session.room()
            session.submit("anna", [BODY])
            await until(lambda: told.answers)

    run(scene())

    assert told.answers[0].outcome is Outcome.ACCEPTED
    assert "message centre sent a PDU of an impossible length, link closed" in warnings(caplog)
    assert caplog.records[[record.levelname for record in caplog.records].index("WARNING")].announced_bytes == length


def test_garbage_ends_the_link_and_nothing_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    noise = random.Random(1).randbytes(100_000)

    async def noisy(caller: Caller, frame: Frame) -> None:
        if frame[0] == Command.SUBMIT_SM and len(told.answers) < 5:
            caller.say_bytes(b"\xff" + noise)
        else:
            await caller.polite(frame)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            centre.on_frame = noisy
            for token in range(10):
                await session.room()
                session.submit(token, [BODY])
                await until(lambda: len(told.answers) == token + 1)  # noqa: B023

    run(scene())

    assert told.tokens(Outcome.UNANSWERED) == [0, 1, 2, 3, 4]
    assert told.tokens(Outcome.ACCEPTED) == [5, 6, 7, 8, 9]


def test_commands_that_nobody_knows_are_refused_and_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            caller = centre.caller
            for sequence in range(5000):
                caller.say(0x7777, sequence)
            await until(lambda: len(caller.heard_of(Command.GENERIC_NACK)) == 5000)
            assert {frame[1] for frame in caller.heard_of(Command.GENERIC_NACK)} == {status.ESME_RINVCMDID}
            session.submit("anna", [BODY])
            await until(lambda: told.answers)

    run(scene())

    assert told.answers[0].outcome is Outcome.ACCEPTED
    assert warnings(caplog) == ["message centre sent a request that is not for us"] * 4  # at 1, 10, 100 and 1000


def test_answers_that_nobody_asked_for_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    async def eager(caller: Caller, frame: Frame) -> None:
        await caller.polite(frame)
        if frame[0] == Command.SUBMIT_SM:
            caller.say(Command.SUBMIT_SM_RESP, frame[2], status.ESME_RSYSERR)  # the same again, otherwise
            for sequence in (0, frame[2] + 1, 0xFFFFFFFF):
                caller.say(Command.SUBMIT_SM_RESP, sequence, body=b"nobody\0")
            for command in (Command.DATA_SM_RESP, Command.GENERIC_NACK, Command.BIND_TRANSCEIVER_RESP, 0x80007777):
                caller.say(command, 9999, status.ESME_RSYSERR)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            centre.on_frame = eager
            for token in range(20):
                await session.room()
                session.submit(token, [BODY])
                await until(lambda: len(told.answers) == token + 1)  # noqa: B023
            await until(lambda: session.is_bound)
            assert len(centre.callers) == 1

    run(scene())

    assert told.tokens(Outcome.ACCEPTED) == list(range(20))
    assert told.late == []
    assert set(warnings(caplog)) == {"message centre answers what nobody asked"}


def test_a_message_centre_that_binds_and_drops_is_tried_with_growing_pauses_and_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    async def dropping(caller: Caller, frame: Frame) -> None:
        await caller.polite(frame)
        if frame[0] in BINDS and len(caller._centre.callers) < 12:
            await caller._writer.drain()
            caller.hang_up()

    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told, longest_pause_s=0.05) as session:
            centre.on_frame = dropping
            await until(lambda: len(centre.callers) >= 12)
            await session.room()
            assert session.submit("anna", [BODY])
            await until(lambda: told.answers)

    run(scene())

    assert told.answers == [Answer("anna", Outcome.ACCEPTED, ("2",))]
    said = [(record.getMessage(), record.times) for record in caplog.records if record.name.endswith("oddities")]
    assert {*said} == {(sentence, times) for sentence in ("bound", "link ended") for times in (1, 10)}


def test_a_message_centre_that_is_away_does_not_fill_the_log_and_its_return_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    async def refusing(caller: Caller, frame: Frame) -> None:
        caller.say(frame[0] | IS_ANSWER, frame[2], status.ESME_RSYSERR)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, Told(), longest_pause_s=0.02) as session:
            for _ in range(2):
                tries = len(centre.callers)
                centre.on_frame = refusing
                if session.is_bound:
                    centre.caller.hang_up()
                await until(lambda: len(centre.callers) >= tries + 15)  # noqa: B023
                centre.on_frame = Caller.polite
                await session.bound()

    run(scene())

    said = [record.getMessage() for record in caplog.records if record.name.endswith("oddities")]
    assert said == ["not bound, trying again"] * 2 + ["bound", "link ended", "bound"]


def test_who_waits_for_the_first_link_hears_why_there_is_none_and_the_log_does_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD_OF_A", "secret")
    account = SmppAccount(
        kind="smpp", host="127.0.0.1", port=free_port(), system_id="sms", password_env="PASSWORD_OF_A"
    )

    async def scene() -> None:
        with pytest.raises(GatewayAway, match="Connect"):
            await SmppNetwork("a", account).open(lambda _: asyncio.sleep(0), "a")

    run(scene())

    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 5, b"x" * 300, b"\0" * 17 + b"\xff" + b"a", b"\0" * 17 + b"\0" + b"abc"],
    ids=["empty", "cut off", "no end", "a message beyond the body", "no parameter"],
)
def test_a_receipt_that_cannot_be_read_is_refused_and_others_are_taken(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    async def scene() -> list[Frame]:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            centre.caller.say(Command.DELIVER_SM, 1, body=body)
            centre.caller.deliver(2, "id:7 stat:DELIVRD")
            await until(lambda: len(centre.caller.heard_of(Command.DELIVER_SM_RESP)) == 2)
            return centre.caller.heard_of(Command.DELIVER_SM_RESP)

    answers = {sequence: code for _, code, sequence, _ in run(scene())}

    assert answers[1] in {status.ESME_RINVMSGLEN, status.ESME_RINVOPTPARSTREAM}
    assert answers[2] == status.ESME_ROK
    assert len(told.delivered) == 1
    assert warnings(caplog) == ["message centre sent a receipt or reply that cannot be read"]


def test_what_comes_before_the_bind_is_not_taken() -> None:
    told = Told()

    async def early(caller: Caller, frame: Frame) -> None:
        if frame[0] in BINDS:
            caller.deliver(5, "id:7 stat:DELIVRD")
        await caller.polite(frame)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            centre.on_frame = early
            await session.bound()
            await until(lambda: centre.caller.heard_of(Command.GENERIC_NACK))
            assert centre.caller.heard_of(Command.GENERIC_NACK)[0][1:3] == (status.ESME_RINVBNDSTS, 5)

    run(scene())

    assert told.delivered == []


def test_a_message_centre_that_asks_and_never_reads_the_answers_is_given_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateways.smpp.link.MOST_UNREAD_BYTES", 2**17)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, Told()) as session:
            await session.bound()
            caller = centre.caller
            caller._writer.transport.pause_reading()
            asking = b"".join(
                (16).to_bytes(4, "big") + Command.ENQUIRE_LINK.to_bytes(4, "big") + bytes(8) for _ in range(10_000)
            )
            with contextlib.suppress(ConnectionError):  # it is hung up on
                while True:
                    caller.say_bytes(asking)
                    await caller._writer.drain()
            await until(lambda: len(centre.callers) == 2)
            await session.bound()

    run(scene())

    assert "message centre does not read what it is sent, link given up" in warnings(caplog)


def test_an_answer_to_the_bind_of_another_kind_is_no_bind() -> None:
    async def confused(caller: Caller, frame: Frame) -> None:
        caller.say(Command.BIND_RECEIVER_RESP if frame[0] in BINDS else frame[0] | IS_ANSWER, frame[2])

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, Told()) as session:
            centre.on_frame = confused
            await until(lambda: session.trouble)
            assert not session.is_bound
            assert "ESME_RBINDFAIL" in str(session.trouble)

    run(scene())
