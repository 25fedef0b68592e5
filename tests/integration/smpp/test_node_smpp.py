"""A session with a message centre that we did not write: node-smpp's server."""

from collections.abc import Iterator

import pytest

from app.gateways.smpp import status
from app.gateways.smpp.receipt import Receipt, State, read
from app.gateways.smpp.submission import Envelope, Submissions
from app.gateways.smpp.window import Outcome
from tests import node_smpp
from tests.integration.smpp.centre import Told, run, session_with, until

_SERVER = """
const smpp = require('smpp');
let next = 0;
const server = smpp.createServer(session => {
  session.on('error', () => {});
  for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(kind, pdu => session.send(pdu.response(pdu.password == 'wrong' ? {command_status: 14} : {})));
  }
  session.on('enquire_link', pdu => session.send(pdu.response()));
  session.on('unbind', pdu => { session.send(pdu.response()); session.close(); });
  session.on('submit_sm', pdu => {
    if (pdu.destination_addr.endsWith('66')) return session.send(pdu.response({command_status: 11}));
    const id = (++next).toString();
    session.send(pdu.response({message_id: id}));
    if (!pdu.registered_delivery) return;
    session.deliver_sm({source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
      receipted_message_id: id, message_state: 2, short_message: `id:${id} stat:DELIVRD err:000`}, () => {});
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    try:
        with node_smpp.running(_SERVER) as process:
            assert process.stdout
            yield int(process.stdout.readline())
    except node_smpp.NoNode as reason:
        pytest.skip(str(reason))


def test_messages_are_accepted_and_receipts_come(port: int) -> None:
    told = Told()
    submissions = Submissions(Envelope(source="1069"))

    async def scene() -> None:
        async with session_with(port, told, window=50, password="right") as session:
            for token in range(1000):
                bodies = submissions.bodies(f"138{token:08}", "尊敬的张伟_先生_你好" * (1 + token % 2 * 7), token)
                await session.room(len(bodies))
                assert session.submit(token, bodies)
            await until(lambda: len(told.answers) == 1000)
            accepted = [each for answer in told.answers for each in answer.provider_ids]
            await until(lambda: len(told.delivered) == len(accepted))

    run(scene())

    refused = [answer for answer in told.answers if answer.outcome is Outcome.REFUSED]
    assert [answer.token for answer in refused] == [66, 166, 266, 366, 466, 566, 666, 766, 866, 966]
    assert {answer.status for answer in refused} == {status.ESME_RINVDSTADR}
    accepted = {each for answer in told.answers for each in answer.provider_ids}
    assert {answer.outcome for answer in told.answers} == {Outcome.REFUSED, Outcome.ACCEPTED}
    receipts = [read(pdu) for pdu in told.delivered]
    assert {receipt.message_id for receipt in receipts if isinstance(receipt, Receipt)} == accepted
    assert all(isinstance(receipt, Receipt) and receipt.state is State.DELIVERED for receipt in receipts)


def test_a_wrong_password_is_said(port: int) -> None:
    async def scene() -> str:
        async with session_with(port, Told(), password="wrong") as session:
            await until(lambda: session.trouble)
            return str(session.trouble)

    assert "ESME_RINVPASWD" in run(scene())
