"""Receipts and replies are acknowledged when they are recorded, and not before."""

import asyncio
from collections.abc import Sequence

import pytest

from app.gateways.smpp import status
from app.gateways.smpp.account import Bind
from app.gateways.smpp.commands import Command
from app.gateways.smpp.link import Link
from app.gateways.smpp.pdu import Pdu, encode
from app.gateways.smpp.receipt import Receipt, read
from app.gateways.smpp.stream import Frame
from app.gateways.smpp.window import Outcome
from tests.integration.smpp.centre import BODY, Caller, Told, run, running_centre, session_with, until


def answers(caller: Caller) -> dict[int, int]:
    return {sequence: code for _, code, sequence, _ in caller.heard_of(Command.DELIVER_SM_RESP)}


def test_a_receipt_is_acknowledged_once_it_is_recorded() -> None:
    told = Told()
    commit: list[asyncio.Event] = []

    async def recording(pdus: Sequence[Pdu]) -> None:
        commit.append(asyncio.Event())
        await commit[-1].wait()
        told.delivered += pdus

    async def scene() -> None:
        told.on_deliver = recording  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            caller = centre.caller
            caller.deliver(1, "id:1 stat:DELIVRD")
            await until(lambda: commit)
            caller.deliver(2, "id:2 stat:EXPIRED")
            caller.deliver(3, "id:3 stat:DELIVRD")
            session.submit("anna", [BODY])
            await until(lambda: told.answers)  # what is submitted goes on meanwhile
            assert answers(caller) == {}
            commit[0].set()
            await until(lambda: len(commit) == 2)
            await until(lambda: answers(caller) == {1: 0})
            commit[1].set()  # those that came meanwhile, as one batch
            await until(lambda: answers(caller) == {1: 0, 2: 0, 3: 0})

    run(scene())

    receipts = [read(pdu) for pdu in told.delivered]
    assert [receipt.message_id for receipt in receipts if isinstance(receipt, Receipt)] == ["1", "2", "3"]


def test_what_could_not_be_recorded_is_refused_for_now(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    async def breaking(pdus: Sequence[Pdu]) -> None:
        raise OSError("no database")

    async def scene() -> None:
        told.on_deliver = breaking  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            centre.caller.deliver(1, "id:1 stat:DELIVRD")
            await until(lambda: answers(centre.caller) == {1: status.ESME_RX_T_APPN})
            assert session.is_bound

    run(scene())

    assert "receipts and replies could not be recorded" in caplog.text


def test_a_transmitter_that_is_given_a_receipt_refuses_it_for_now() -> None:
    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, Told(), bind=Bind.TRANSMITTER) as session:
            session._on_deliver = None
            await session.bound()
            centre.caller.deliver(1, "id:1 stat:DELIVRD")
            await until(lambda: answers(centre.caller) == {1: status.ESME_RX_T_APPN})

    run(scene())


def test_what_came_before_the_link_was_lost_is_recorded_before_the_next_one() -> None:
    told = Told()
    commit = asyncio.Event()

    async def recording(pdus: Sequence[Pdu]) -> None:
        await commit.wait()
        told.delivered += pdus

    async def scene() -> None:
        told.on_deliver = recording  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            for sequence in range(1, 4):
                centre.caller.deliver(sequence, f"id:{sequence} stat:DELIVRD")
            await until(lambda: session._link and session._link._inbound._work)
            centre.caller.hang_up()
            await until(lambda: not session.is_bound)
            await asyncio.sleep(0.3)  # what must not happen needs time; the longest pause is 0.1
            assert len(centre.callers) == 1
            commit.set()
            await session.bound()

    run(scene())

    assert len(told.delivered) == 3


def test_a_stop_does_not_wait_for_ever_for_what_cannot_be_recorded() -> None:
    async def hanging(pdus: Sequence[Pdu]) -> None:
        await asyncio.Event().wait()

    async def scene() -> dict[int, int]:
        told = Told()
        told.on_deliver = hanging  # type: ignore[method-assign]
        async with running_centre() as centre:
            async with session_with(centre.port, told, answer_timeout_s=0.2) as session:
                await session.bound()
                centre.caller.deliver(1, "id:1 stat:DELIVRD")
                await until(lambda: session._link and session._link._inbound._work)
            await until(lambda: centre.caller.heard[-1][0] == Command.UNBIND)
            return answers(centre.caller)

    assert run(scene()) == {}


def test_of_100_000_receipts_at_once_none_is_lost_and_few_wait() -> None:
    """Recorded at the pace of a database; meanwhile messages are submitted."""
    told = Told()
    count = 100_000
    receipt = {"esm_class": 4, "short_message": b"id:7 stat:DELIVRD"}
    whole = [encode(Pdu(Command.DELIVER_SM, sequence, 0, receipt)) for sequence in range(1, count + 1)]
    seen: set[int] = set()
    batches: list[int] = []
    waiting: list[int] = []
    link: Link | None = None

    async def recording(pdus: Sequence[Pdu]) -> None:
        assert link
        batches.append(len(pdus))
        waiting.append(len(link._inbound._waiting))
        await asyncio.sleep(0.001)
        seen.update(pdu.sequence for pdu in pdus)

    acknowledged: set[int] = set()

    async def counting(caller: Caller, frame: Frame) -> None:
        caller.heard.clear()
        if frame[0] == Command.DELIVER_SM_RESP:
            assert frame[1] == 0
            assert frame[2] in seen
            acknowledged.add(frame[2])
        else:
            await caller.polite(frame)

    async def scene() -> None:
        nonlocal link
        told.on_deliver = recording  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told, answer_timeout_s=60.0) as session:
            centre.on_frame = counting
            await session.bound()
            link = session._link
            for at in range(0, count, 1000):
                centre.caller.say_bytes(b"".join(whole[at : at + 1000]))
            for token in range(100):
                await session.room()
                session.submit(token, [BODY])
            await until(lambda: len(told.answers) == 100 and len(acknowledged) == count)

    run(scene())

    assert told.tokens(Outcome.ACCEPTED) == list(range(100))
    assert len(seen) == len(acknowledged) == count
    assert max(batches) <= 500
    assert max(waiting) <= 2000 + 2**18 // len(whole[0])  # and what one read of 256 KiB brings


def test_an_answer_that_came_while_nothing_was_read_is_not_missed() -> None:
    """The database takes longer than an answer may, and so many receipts wait that nothing is read."""
    told = Told()
    commit = asyncio.Event()

    recorded: list[Sequence[Pdu]] = []

    async def recording(pdus: Sequence[Pdu]) -> None:
        recorded.append(pdus)
        await commit.wait()

    async def behind_receipts(caller: Caller, frame: Frame) -> None:
        if frame[0] == Command.SUBMIT_SM:
            caller.deliver(1, "id:7 stat:DELIVRD")
            await until(lambda: recorded)
            for sequence in range(2, 6):
                caller.deliver(sequence, "id:7 stat:DELIVRD")
            await until(lambda: held)
        await caller.polite(frame)

    held: list[bool] = []

    async def scene() -> None:
        told.on_deliver = recording  # type: ignore[method-assign]
        settings = {"waiting_delivers": 2, "answer_timeout_s": 1.0}
        async with running_centre() as centre, session_with(centre.port, told, **settings) as session:
            centre.on_frame = behind_receipts
            await session.room()
            session.submit("anna", [BODY])
            await until(lambda: session._link and session._link._inbound.is_holding)
            held.append(True)
            await asyncio.sleep(1.5 * 1.0)  # what must not happen needs time
            assert told.answers == []
            commit.set()
            await until(lambda: told.answers)

    run(scene())

    assert [answer.outcome for answer in told.answers] == [Outcome.ACCEPTED]


def test_a_message_centre_that_unbinds_us_is_told_first_what_is_recorded() -> None:
    told = Told()
    commit = asyncio.Event()

    async def recording(pdus: Sequence[Pdu]) -> None:
        await commit.wait()

    async def scene() -> list[int]:
        told.on_deliver = recording  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            first = centre.caller
            first.deliver(1, "id:1 stat:DELIVRD")
            first.say(Command.UNBIND, 77)
            await until(lambda: not session.is_bound)
            assert not session.submit("anna", [BODY])
            commit.set()
            await until(lambda: first.heard_of(Command.UNBIND_RESP))
            await session.bound()
            return [frame[0] for frame in first.heard]

    assert run(scene()) == [Command.BIND_TRANSCEIVER, Command.DELIVER_SM_RESP, Command.UNBIND_RESP]


def test_who_leaves_records_what_came_before_and_leaves_what_comes_after_to_the_next_session() -> None:
    told = Told()
    commit = asyncio.Event()

    async def recording(pdus: Sequence[Pdu]) -> None:
        await commit.wait()
        told.delivered += pdus

    async def scene() -> None:
        told.on_deliver = recording  # type: ignore[method-assign]
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.bound()
            caller = centre.caller
            caller.deliver(1, "id:1 stat:DELIVRD")
            await until(lambda: session._link and session._link._inbound._work)
            leaving = asyncio.create_task(session.close())
            await until(lambda: not session.is_bound)
            for sequence in range(2, 5):
                caller.deliver(sequence, f"id:{sequence} stat:DELIVRD")
            caller.say(Command.ENQUIRE_LINK, 99)
            await until(lambda: caller.heard_of(Command.ENQUIRE_LINK_RESP))  # so they have come
            commit.set()
            await leaving
            await until(lambda: caller.heard_of(Command.UNBIND))
            assert answers(caller) == {1: 0}

    run(scene())

    assert len(told.delivered) == 1
