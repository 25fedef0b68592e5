"""A campaign over a message centre that breaks the protocol in every way: each has one message, and a state."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.gateways.accounts import SmppAccount
from app.gateways.smpp import status
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.network import SmppNetwork
from app.gateways.smpp.pdu import decode
from app.gateways.smpp.stream import Frame
from tests.integration.app.campaigns import trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import send
from tests.integration.smpp.centre import Caller, running_centre
from tests.waiting import until

PEOPLE = 400
ANSWER_S = 0.5
WITHIN_S = 60.0


class Bad:
    """`numbers`: how often each was submitted; `answered`: those who had an answer in time, on a link that lived;
    `late`: those to whom one was said when it was too late."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.numbers: Counter[int] = Counter()
        self.answered: set[int] = set()
        self.late: set[int] = set()

    async def hear(self, caller: Caller, frame: Frame) -> None:
        if frame[0] != Command.SUBMIT_SM:
            await caller.polite(frame)
            return
        number = int(decode(frame).text("destination_addr").removeprefix("86"))
        self.numbers[number] += 1
        match self._chance.randrange(60):
            case 0:
                caller.say_bytes(self._chance.randbytes(500))
            case 1:
                caller.say_bytes((2**31).to_bytes(4, "big"))
            case 2:
                caller.hang_up()
            case 3:
                sequence = frame[2]
                self.late.add(number)
                asyncio.get_running_loop().call_later(
                    3 * ANSWER_S, caller.say, Command.SUBMIT_SM_RESP, sequence, 0, b"late\0"
                )
            case fault:
                if fault == 4:
                    caller.say(0x7777, 1)
                    caller.say(0x80007777, 2, status.ESME_RSYSERR)
                if fault == 5:
                    caller.say(Command.SUBMIT_SM_RESP, 0x7FFFFFFF, body=b"nobody\0")
                if fault == 6:
                    caller.say(Command.DELIVER_SM, 3, body=b"\0" * 5)
                caller.say(Command.SUBMIT_SM | IS_ANSWER, frame[2], body=b"%d\0" % number)
                if fault == 7:
                    caller.say(Command.SUBMIT_SM_RESP, frame[2], status.ESME_RSYSERR)  # the same again, otherwise
                self.answered.add(number)


@contextmanager
def centre_of_its_own(bad: Bad) -> Iterator[int]:
    """Beside the test, for that waits for its shard; the port."""
    ports: list[int] = []
    ended = Event()

    async def live() -> None:
        async with running_centre() as centre:
            centre.on_frame = bad.hear
            ports.append(centre.port)
            await asyncio.to_thread(ended.wait)

    thread = Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        yield until(lambda: ports, what="the centre listens")[0]
    finally:
        ended.set()
        thread.join()


def test_nobody_is_lost_or_gets_two_messages_over_a_centre_that_breaks_the_protocol(
    sqlite, logs, monkeypatch, caplog
) -> None:
    monkeypatch.setenv("CENTRE_PASSWORD", "secret")
    monkeypatch.setattr("app.gateways.smpp.session.pause_s", lambda *_: 0.02)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    move_in(sqlite, crowd(PEOPLE))
    campaign, bad = trigger(sqlite, "a", PEOPLE, gateway="bad"), Bad(seed)

    with centre_of_its_own(bad) as port:
        at = {"kind": "smpp", "host": "127.0.0.1", "port": port, "system_id": "sms", "password_env": "CENTRE_PASSWORD"}
        network = SmppNetwork("bad", SmppAccount.model_validate({**at, "answer_timeout_s": ANSWER_S, "window": 20}))
        outcome = until(
            lambda: each if (each := send(sqlite, logs, campaign, network)) is Outcome.COMPLETE else None,
            within_s=WITHIN_S,
        )

    assert outcome is Outcome.COMPLETE
    check(sqlite, campaign)
    rows = {row.mobile: row for row in rows_of(sqlite, campaign)}
    assert {*rows} == {13800000000 + number for number in range(1, PEOPLE + 1)}
    assert max(bad.numbers.values()) == 1
    states = Counter(row.state for row in rows.values())
    assert {*states} == {Delivery.ACCEPTED, Delivery.UNKNOWN}
    accepted = {number for number, row in rows.items() if row.state is Delivery.ACCEPTED}
    late = {number for number, row in rows.items() if row.provider_id == "late"}  # the link lived on until it came
    assert late <= bad.late
    assert accepted - late <= bad.answered <= {*bad.numbers}  # who was on the way when a link ended is in doubt
    assert len(accepted) > PEOPLE / 10
    said = Counter(record.getMessage() for record in caplog.records)
    assert said["message centre sent a PDU of an impossible length, link closed"] <= 3
    assert sum(said.values()) < 60, said
