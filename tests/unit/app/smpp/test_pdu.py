"""PDUs go there and back, and whatever else arrives is refused in the protocol's own words."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateways.smpp import status
from app.gateways.smpp.commands import FIELDS, TLVS, Command, Kind, Tlv
from app.gateways.smpp.errors import BadBody, BadTlv, ProtocolError, Unencodable, UnknownCommand
from app.gateways.smpp.pdu import Pdu, decode, encode, encode_raw, encode_tlv, tlv_octets
from app.gateways.smpp.stream import MAX_PDU_BYTES, PduStream
from tests.unit.app.smpp.pdus import pdus, pieces


@given(st.lists(pdus(), max_size=8), st.data())
def test_pdus_come_back_as_they_were_however_the_stream_is_cut(sent: list[Pdu], data: st.DataObject) -> None:
    stream = PduStream()
    got = []

    for piece in pieces(data, b"".join(map(encode, sent))):
        got += [decode(frame) for frame in stream.feed(piece)]

    assert got == sent
    assert stream.held_bytes == 0


@given(st.lists(pdus(), max_size=4), st.binary(max_size=300), st.data())
def test_any_bytes_raise_nothing_but_the_protocols_own_error(
    good: list[Pdu], noise: bytes, data: st.DataObject
) -> None:
    stream = PduStream()

    for piece in pieces(data, b"".join(map(encode, good)) + noise):
        for frame in stream.feed(piece):
            try:
                decode(frame)
            except ProtocolError as error:
                assert status.kind(error.status) is not status.Kind.OK
        assert stream.held_bytes <= MAX_PDU_BYTES


@given(pdus(), st.data())
def test_a_pdu_with_some_bytes_changed_or_missing_is_read_or_refused(pdu: Pdu, data: st.DataObject) -> None:
    body = bytearray(encode(pdu)[16:])
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(body[: data.draw(st.integers(0, len(body)))])

    try:
        read = decode((pdu.command, 0, 1, broken))
    except ProtocolError:
        return

    assert set(read.fields) == {field.name for field in FIELDS[pdu.command]}


@given(pdus(), st.binary(min_size=1, max_size=3))
def test_bytes_behind_the_last_parameter_are_refused(pdu: Pdu, more: bytes) -> None:
    with pytest.raises(BadTlv):
        decode((pdu.command, 0, 1, encode(pdu)[16:] + more))


@pytest.mark.parametrize("announced", [0, 1, 4, 15, MAX_PDU_BYTES + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_ends_the_stream_as_soon_as_it_is_there(announced: int) -> None:
    stream = PduStream()
    whole = encode(Pdu(Command.ENQUIRE_LINK, 1))

    frames = stream.feed(whole + announced.to_bytes(4, "big"))

    assert len(frames) == 1
    assert stream.broken is not None
    assert stream.broken.announced_bytes == announced
    assert stream.feed(whole) == []
    assert stream.held_bytes == 0


def test_a_large_pdu_that_comes_byte_by_byte_is_looked_at_once_and_takes_little_room() -> None:
    body = encode_tlv(Tlv.MESSAGE_PAYLOAD, bytes(60_000))
    whole = encode_raw(Command.GENERIC_NACK, 0, 1, body)
    stream = PduStream()
    frames, looks = [], 0
    tracemalloc.start()

    for at in range(len(whole)):
        before = stream._rest
        frames += stream.feed(whole[at : at + 1])
        looks += stream._rest is not before  # it is made anew by a look

    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert frames[0][3] == body
    assert looks < 10
    assert most_bytes < 5 * len(whole)


def test_a_command_that_nobody_knows_is_named() -> None:
    with pytest.raises(UnknownCommand, match="0x0000abcd") as refused:
        decode((0xABCD, 0, 1, b""))

    assert refused.value.status == status.ESME_RINVCMDID


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"abcdefg\0", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05abc"],
    ids=["nothing", "one field", "a text that is too long", "a message that is cut off"],
)
def test_a_request_whose_fields_do_not_end_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        decode((Command.SUBMIT_SM, 0, 1, body))


def test_a_text_that_is_longer_than_its_field_is_refused() -> None:
    assert decode((Command.SUBMIT_SM_RESP, 0, 1, b"x" * 64 + b"\0")).text("message_id") == "x" * 64
    with pytest.raises(BadBody, match="message_id does not end within 65 bytes"):
        decode((Command.SUBMIT_SM_RESP, 0, 1, b"x" * 65 + b"\0"))


@pytest.mark.parametrize("command", [command for command in Command if command & 0x80000000])
def test_an_answer_that_is_an_error_needs_no_body(command: Command) -> None:
    assert decode((command, 8, 1, b"")).status == 8


@given(pdus(), st.data())
def test_what_does_not_fit_into_its_field_is_never_sent(pdu: Pdu, data: st.DataObject) -> None:
    if not FIELDS[pdu.command]:
        return
    field = data.draw(st.sampled_from(FIELDS[pdu.command]))
    wrong = {
        Kind.NUMBER: st.sampled_from([-1, 256**field.size, "1"]),
        Kind.TEXT: st.sampled_from(["x" * field.size, "a\0b", "€", 7]),
        Kind.OCTETS: st.sampled_from([bytes(field.size + 1), "text"]),
    }[field.kind]

    with pytest.raises(Unencodable, match=field.name):
        encode(Pdu(pdu.command, 1, 0, {**pdu.fields, field.name: data.draw(wrong)}))


def test_a_password_that_does_not_fit_is_not_quoted() -> None:
    with pytest.raises(Unencodable) as refused:
        encode(Pdu(Command.BIND_TRANSMITTER, 1, 0, {"password": "secret" * 20}))

    assert "secret" not in str(refused.value)


def test_a_field_that_the_command_has_not_is_named() -> None:
    with pytest.raises(Unencodable, match="unbind has no field short_message"):
        encode(Pdu(Command.UNBIND, 1, 0, {"short_message": b""}))


def test_nothing_is_encoded_beyond_the_limit() -> None:
    with pytest.raises(Unencodable, match="65536 at most"):
        encode_raw(Command.DATA_SM, 0, 1, bytes(MAX_PDU_BYTES))
    with pytest.raises(Unencodable):
        encode_raw(Command.UNBIND, 0, 2**32)
    with pytest.raises(Unencodable):
        encode_tlv(0x10000, b"")


@pytest.mark.parametrize("tag", Tlv)
def test_a_parameter_of_the_wrong_size_is_not_believed(tag: Tlv) -> None:
    kept = TLVS[tag]
    pdu = Pdu(Command.DELIVER_SM, 1, tlvs={tag: bytes(kept.size + 1)})

    assert pdu.tlv_number(tag) is None
    assert pdu.tlv_text(tag) is None
    with pytest.raises(Unencodable, match=kept.name):
        tlv_octets(tag, bytes(kept.size + 1))


def test_of_a_parameter_that_stands_twice_the_first_counts() -> None:
    body = encode_tlv(Tlv.MESSAGE_STATE, b"\2") + encode_tlv(Tlv.MESSAGE_STATE, b"\5")

    assert decode((Command.GENERIC_NACK, 0, 1, body)).tlv_number(Tlv.MESSAGE_STATE) == 2


def test_a_text_parameter_is_read_with_its_nul_and_without() -> None:
    for octets in (b"id-1", b"id-1\0"):
        assert Pdu(Command.DELIVER_SM, 1, tlvs={Tlv.RECEIPTED_MESSAGE_ID: octets}).tlv_text(
            Tlv.RECEIPTED_MESSAGE_ID
        ) == "id-1"  # fmt: skip


def test_a_status_has_a_kind_and_a_name_in_words() -> None:
    assert status.kind(0) is status.Kind.OK
    assert status.kind(0x58) is status.Kind.THROTTLED
    assert status.kind(0x14) is status.Kind.TEMPORARY
    assert status.kind(0x0B) is status.Kind.PERMANENT
    assert status.kind(0x400) is status.Kind.PERMANENT
    assert status.explain(0x58) == "ESME_RTHROTTLED (too many messages at once)"
    assert status.explain(0x400) == "0x00000400 (of the operator's own)"


@given(st.integers(0, 2**32 - 1))
def test_every_status_can_be_judged(code: int) -> None:
    assert status.kind(code) in status.Kind
    assert status.name(code) in status.explain(code)
