"""The demo message centre does what it should, and wrong what it is told to; smpplib can use it, too."""

import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gateways.smpp import status
from app.gateways.smpp.receipt import IdForm, Receipt, Reply, State, read
from app.gateways.smpp.submission import Envelope, Submissions
from app.gateways.smpp.window import Answer, Outcome
from tests import waiting
from tests.certificates import issue
from tests.integration.smpp import smsc as demo
from tests.integration.smpp.centre import Told, run, session_with, until
from tests.integration.smpp.smsc import ROOT, Smsc

SUBMISSIONS = Submissions(Envelope(source="10690000"))
LONG = "尊敬的手机号为13800000000的张伟_先生_你好，" * 5


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Smsc]]:
    """Starts one with options; nothing of it stays."""
    started: list[Smsc] = []

    def start(*options: str) -> Smsc:
        started.append(Smsc(tmp_path, *options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def submit_all(port: int, messages: list[tuple[str, str]], *, receipts: int = 0, **settings: Any) -> Told:
    """Submit them one by one to the end, and wait for so many receipts and replies."""
    told = Told()

    async def scene() -> None:
        async with session_with(port, told, **({"window": 50} | settings)) as session:
            await session.bound()  # one that ends before it knows of its link hangs up, and acknowledges nothing
            for token, (number, text) in enumerate(messages):
                bodies = SUBMISSIONS.bodies(number, text, token)
                await session.room(len(bodies))
                assert session.submit(token, bodies)
            await until(lambda: len(told.answers) == len(messages) and len(told.delivered) >= receipts)

    run(scene())
    return told


def receipts_of(told: Told, ids: IdForm = IdForm.AS_IS) -> list[Receipt]:
    return [receipt for pdu in told.delivered if isinstance(receipt := read(pdu, ids), Receipt)]


def test_every_submission_is_a_line_and_has_an_answer_and_a_receipt(start: Callable[..., Smsc]) -> None:
    smsc = start("--receipts-after", "0.05")
    messages = [(f"138{number:08}", f"你好 {number}\tx\ny") for number in range(500)]

    told = submit_all(smsc.port, messages, receipts=500)

    lines = smsc.submissions()
    assert [(system_id, number) for _, system_id, number, *_ in lines] == [("sms", number) for number, _ in messages]
    assert [line[4] for line in lines] == [str(reference) for reference in range(500)]
    assert lines[7][5] == "你好 7 x y"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line[0]) for line in lines)
    ids = [line[3] for line in lines]
    assert len(set(ids)) == 500
    assert [answer.provider_ids[0] for answer in sorted(told.answers)] == ids
    assert sorted(receipt.message_id for receipt in receipts_of(told)) == sorted(ids)
    assert {receipt.state for receipt in receipts_of(told)} == {State.DELIVERED}
    assert smsc.stop() == 0


def test_a_long_message_is_a_line_for_each_part(start: Callable[..., Smsc]) -> None:
    smsc = start()

    told = submit_all(smsc.port, [("13800000000", LONG)])

    lines = smsc.submissions()
    assert "".join(line[5] for line in lines) == LONG
    assert told.answers[0].provider_ids == tuple(line[3] for line in lines)
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("999901", Answer(0, Outcome.REFUSED, (), status.ESME_RTHROTTLED)),
        ("999902", Answer(0, Outcome.REFUSED, (), status.ESME_RINVDSTADR)),
        ("999903", Answer(0, Outcome.REFUSED, (), status.ESME_RMSGQFUL)),
        ("999904", Answer(0, Outcome.UNANSWERED)),
        ("999906", Answer(0, Outcome.UNANSWERED)),
        ("999907", Answer(0, Outcome.UNANSWERED)),
    ],
)
def test_a_number_decides_what_is_answered(start: Callable[..., Smsc], suffix: str, expected: Answer) -> None:
    smsc = start("--by-number")

    patience_s = 0.3 if expected.outcome is Outcome.UNANSWERED else 30.0
    told = submit_all(smsc.port, [(f"13800{suffix}", "hello")], answer_timeout_s=patience_s)

    assert told.answers == [expected]
    (line,) = waiting.until(smsc.submissions, what="it is written down")
    assert (line[3] == "") is (expected.outcome is Outcome.REFUSED)


def test_numbers_decide_about_receipts_and_replies(start: Callable[..., Smsc]) -> None:
    smsc = start("--by-number", "--receipts-after", "0.05")
    numbers = [f"13800{suffix}" for suffix in (999905, 999908, 999909, 999910, 999911, 999912, 999914, 999915)]

    told = submit_all(smsc.port, [(number, "hello") for number in numbers], receipts=11)

    assert {answer.outcome for answer in told.answers} == {Outcome.ACCEPTED}
    by_number: dict[str, list[Any]] = {number: [] for number in numbers}
    for pdu in told.delivered:
        said = read(pdu)
        assert said
        by_number[said.number].append(said.text if isinstance(said, Reply) else said.state)
    assert by_number == {
        "13800999905": [State.DELIVERED],
        "13800999908": [State.DELIVERED],
        "13800999909": [State.DELIVERED, State.DELIVERED],
        "13800999910": [State.UNDELIVERABLE],
        "13800999911": [State.EXPIRED],
        "13800999912": [State.DELIVERED],
        "13800999914": [State.DELIVERED, "TD"],
        "13800999915": [State.DELIVERED, "退订"],
    }


def test_chance_drops_throttles_and_refuses_as_much_as_it_is_told(start: Callable[..., Smsc]) -> None:
    smsc = start("--drop-answer", "0.1", "--refuse", "0.2", "--answer-twice", "0.1", "--seed", "7")

    told = submit_all(smsc.port, [("13800000000", "hello")] * 1000, window=1000, answer_timeout_s=5.0)

    assert 50 < len(told.tokens(Outcome.UNANSWERED)) < 150
    assert 130 < len(told.tokens(Outcome.REFUSED)) < 270
    assert len(smsc.submissions()) == 1000


def test_what_is_above_the_limit_of_a_second_is_throttled(start: Callable[..., Smsc]) -> None:
    smsc = start("--throttle-after", "100")

    told = submit_all(smsc.port, [("13800000000", "hello")] * 1000)

    assert {answer.status for answer in told.answers} == {0, status.ESME_RTHROTTLED}
    seconds = [line[0][:19] for line in smsc.submissions() if line[3]]
    assert max(map(seconds.count, set(seconds))) == 100


@pytest.mark.parametrize(("form", "ids"), [("text", IdForm.HEX_TO_DECIMAL), ("tlv", IdForm.HEX_TO_DECIMAL)])
def test_receipts_come_in_other_forms(start: Callable[..., Smsc], form: str, ids: IdForm) -> None:
    smsc = start("--receipts-after", "0", "--receipt-hex", "--receipt-form", form)

    told = submit_all(smsc.port, [("13800000000", "hello")] * 10, receipts=10)

    expected = sorted(answer.provider_ids[0] for answer in told.answers)
    assert sorted(receipt.message_id for receipt in receipts_of(told, ids)) == expected


def test_the_control_file_makes_replies_hangs_up_and_changes_options(start: Callable[..., Smsc]) -> None:
    smsc = start()
    told = Told()

    async def scene() -> None:
        async with session_with(smsc.port, told) as session:
            await session.bound()
            smsc.say("reply 13800000001 10690000 Ｔ Ｄ")
            await until(lambda: told.delivered)
            smsc.say("disconnect")
            await until(lambda: not session.is_bound)
            await session.bound()
            smsc.say("set refuse 1")
            smsc.say("set nothing 1")
            await until(lambda: "there is no option nothing" in smsc.output())
            session.submit("anna", SUBMISSIONS.bodies("138", "hello", 1))
            await until(lambda: told.answers)

    run(scene())

    assert read(told.delivered[0]) == Reply("13800000001", "10690000", "Ｔ Ｄ")
    assert told.answers[0].outcome is Outcome.REFUSED


def test_receipts_are_owed_over_a_kill_until_they_are_acknowledged(tmp_path: Path) -> None:
    with demo.running(tmp_path, "--receipts-after", "60") as first:
        submit_all(first.port, [("13800000000", "hello")] * 100)
    ids = sorted(line[3] for line in first.submissions())
    with demo.running(tmp_path) as second:
        told = submit_all(second.port, [], receipts=100)
    with demo.running(tmp_path, "--receipts-after", "0") as third:
        later = submit_all(third.port, [("13800000000", "hello")], receipts=1)

    assert sorted(receipt.message_id for receipt in receipts_of(told)) == ids
    assert len(later.delivered) == 1
    assert len({line[3] for line in third.submissions()}) == 101


def test_receipts_go_to_the_session_of_the_account_that_receives(start: Callable[..., Smsc]) -> None:
    smsc = start("--receipts-after", "0")
    sender, receiver, stranger = Told(), Told(), Told()

    async def scene() -> None:
        async with (
            session_with(smsc.port, stranger, system_id="other", bind="receiver") as other,
            session_with(smsc.port, receiver, bind="receiver") as receiving,
            session_with(smsc.port, sender, bind="transmitter") as sending,
        ):
            for session in (other, receiving, sending):
                await session.bound()
            sending.submit("anna", SUBMISSIONS.bodies("138", "hello", 1))
            await until(lambda: receiver.delivered)

    run(scene())

    assert (len(sender.delivered), len(receiver.delivered), len(stranger.delivered)) == (0, 1, 0)


def test_a_wrong_password_is_refused(start: Callable[..., Smsc]) -> None:
    smsc = start("--password", "geheim")

    async def scene() -> str:
        async with session_with(smsc.port, Told(), password="falsch") as session:
            await until(lambda: session.trouble)
            return str(session.trouble)

    assert "ESME_RINVPASWD" in run(scene())
    assert "falsch" not in smsc.output()


def test_it_speaks_tls_where_it_has_a_certificate(start: Callable[..., Smsc], tmp_path: Path) -> None:
    pair = issue(tmp_path, "smsc")
    smsc = start("--cert", pair.cert_file, "--key", pair.key_file, "--receipts-after", "0")

    told = submit_all(
        smsc.port, [("138", "hello")] * 50, receipts=50, tls=ssl.create_default_context(cafile=pair.cert_file)
    )

    assert {answer.outcome for answer in told.answers} == {Outcome.ACCEPTED}


_SMPPLIB = """
import sys, smpplib.client, smpplib.consts, smpplib.gsm
client = smpplib.client.Client("127.0.0.1", int(sys.argv[1]), allow_unknown_opt_params=True)
ids, receipts = [], []
client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
client.set_message_received_handler(lambda pdu: receipts.append(pdu.receipted_message_id.decode()) or 0)
client.connect()
client.bind_transceiver(system_id="lib", password="x")
parts, coding, message_type = smpplib.gsm.make_parts(sys.argv[2])
for part in parts:
    client.send_message(source_addr="1069", destination_addr="13800000000", short_message=part, data_coding=coding,
                        esm_class=message_type, registered_delivery=True, user_message_reference=7)
while len(receipts) < len(parts) or len(ids) < len(parts):
    client.read_once()
assert sorted(ids) == sorted(receipts), (ids, receipts)
client.unbind()
client.disconnect()
print(len(parts))
"""


@pytest.mark.parametrize("text", ["hello @€", LONG])
def test_smpplib_sends_and_gets_its_receipts(start: Callable[..., Smsc], text: str) -> None:
    smsc = start("--receipts-after", "0.05")

    client = subprocess.run(
        [sys.executable, "-c", _SMPPLIB, str(smsc.port), text],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip

    assert client.returncode == 0, client.stderr
    lines = smsc.submissions()
    assert len(lines) == int(client.stdout)
    assert "".join(line[5] for line in lines) == text
    assert {(line[1], line[2], line[4]) for line in lines} == {("lib", "13800000000", "7")}
