"""PDUs that we encode are read the same by two implementations that we did not write: smpp.pdu3 and node-smpp."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smpp.pdu.pdu_encoding import PDUEncoder

from app.gateways.smpp.alphabet import decode as text_of
from app.gateways.smpp.commands import FIELDS, Command, Kind, Tlv
from app.gateways.smpp.pdu import Pdu, decode, encode, encode_raw, tlv_octets
from app.gateways.smpp.submission import Envelope, LongText, Submissions
from tests import node_smpp

BINDS = (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)
EMPTY = (Command.ENQUIRE_LINK, Command.ENQUIRE_LINK_RESP, Command.UNBIND, Command.UNBIND_RESP, Command.GENERIC_NACK)

words = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)
addresses = st.from_regex(r"[0-9]{1,15}", fullmatch=True)
sequences = st.integers(1, 0x7FFFFFFF)
texts = st.text(st.sampled_from("az@€[ 尊敬的😀"), min_size=1, max_size=300)
binds = st.builds(
    lambda command, sequence, **fields: Pdu(command, sequence, 0, {**fields, "interface_version": 0x34}),
    st.sampled_from(BINDS),
    sequences,
    system_id=words,
    password=words,
    system_type=words,
)
answers = st.one_of(
    st.builds(
        lambda command, sequence, message_id: Pdu(command, sequence, 0, {"message_id": message_id}),
        st.sampled_from([Command.SUBMIT_SM_RESP, Command.DATA_SM_RESP]),
        sequences,
        words,
    ),
    st.builds(
        lambda sequence, name: Pdu(Command.BIND_TRANSCEIVER_RESP, sequence, 0, {"system_id": name}), sequences, words
    ),
    st.builds(lambda sequence: Pdu(Command.DELIVER_SM_RESP, sequence), sequences),
    st.builds(Pdu, st.sampled_from(EMPTY), sequences),
)
refusals = st.builds(
    lambda sequence, status: Pdu(Command.SUBMIT_SM_RESP, sequence, status), sequences, st.sampled_from([8, 0x58])
)
receipts = st.builds(
    lambda sequence, source, message, message_id, state, tlvs: Pdu(
        Command.DELIVER_SM,
        sequence,
        0,
        {
            **{"source_addr": source, "destination_addr": "10690000", "source_addr_ton": 1, "source_addr_npi": 1},
            **{"esm_class": 4, "short_message": message.encode()},
        },
        {
            int(Tlv.MESSAGE_STATE): tlv_octets(Tlv.MESSAGE_STATE, state),
            int(Tlv.RECEIPTED_MESSAGE_ID): tlv_octets(Tlv.RECEIPTED_MESSAGE_ID, message_id),
        }
        if tlvs
        else {},
    ),
    sequences,
    addresses,
    words,
    words,
    st.integers(1, 8),
    st.booleans(),
)
envelopes = st.builds(
    Envelope,
    source=addresses,
    source_ton=st.integers(0, 6),
    source_npi=st.sampled_from([0, 1, 8]),
    validity_s=st.just(0),
    registered_delivery=st.sampled_from([0, 1]),
    long_text=st.sampled_from(LongText),
)


@st.composite
def submissions(draw: st.DrawFn) -> Pdu:
    bodies = Submissions(draw(envelopes)).bodies(draw(addresses), draw(texts), draw(st.integers(0, 0xFFFF)))
    return decode((Command.SUBMIT_SM, 0, draw(sequences), draw(st.sampled_from(bodies))))


sent = st.one_of(binds, answers, refusals, receipts, submissions())


def without_a_body_if_refused(pdu: Pdu) -> bytes:
    return encode_raw(pdu.command, pdu.status, pdu.sequence) if pdu.status else encode(pdu)


# ── smpp.pdu3 ───────────────────────────────────────────────────────────────────────────────────


@given(sent)
def test_smpp_pdu3_reads_what_we_encode_and_would_encode_it_the_same(pdu: Pdu) -> None:
    whole = without_a_body_if_refused(pdu)

    read = PDUEncoder().decode(io.BytesIO(whole))

    assert read.id.name == pdu.command.name.lower()
    assert read.seqNum == pdu.sequence
    for name in ("system_id", "password", "source_addr", "destination_addr", "message_id", "short_message"):
        if name in pdu.fields and not pdu.status:
            ours = pdu.fields[name]
            assert (read.params[name] or b"") == (ours.encode() if isinstance(ours, str) else ours)
    assert PDUEncoder().encode(read) == whole


# ── node-smpp ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def node() -> Iterator[node_smpp.Reader]:
    try:
        with node_smpp.reader() as reader:
            yield reader
    except node_smpp.NoNode as reason:
        pytest.skip(str(reason))


@given(pdu=sent)
@settings(deadline=None)
def test_node_smpp_reads_what_we_encode(node: node_smpp.Reader, pdu: Pdu) -> None:
    read = node.read(without_a_body_if_refused(pdu))

    assert read["command"] == pdu.command.name.lower()
    assert read["sequence_number"] == pdu.sequence
    assert read["command_status"] == pdu.status
    if pdu.status:
        return
    for field in FIELDS[pdu.command]:
        if field.name != "short_message":
            assert read.get(field.name, "") == pdu.fields.get(field.name, 0 if field.kind is Kind.NUMBER else "")
    assert said(read) == expected(pdu)
    for tag in (Tlv.USER_MESSAGE_REFERENCE, Tlv.MESSAGE_STATE):
        assert read.get(tag.name.lower()) == pdu.tlv_number(tag)
    assert read.get("receipted_message_id") == pdu.tlv_text(Tlv.RECEIPTED_MESSAGE_ID)


def said(read: dict[str, Any]) -> tuple[str, list[str]]:
    """The text that node-smpp makes of a message, and its header in hexadecimal."""
    message = read.get("short_message") or ""
    payload = read.get("message_payload")
    if payload:
        message = payload
    if not isinstance(message, dict):
        return message, []
    return message["message"], message.get("udh", [])


def expected(pdu: Pdu) -> tuple[str, list[str]]:
    message, header = pdu.message, []
    if pdu.number("esm_class") & 0x40:
        header, message = [message[1:7].hex()], message[7:]
    return text_of(message, pdu.number("data_coding")), header
