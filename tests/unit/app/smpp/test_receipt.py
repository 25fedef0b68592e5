"""Receipts as message centres write them, and replies as people do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateways.smpp.commands import Command, Tlv
from app.gateways.smpp.pdu import Pdu
from app.gateways.smpp.receipt import IdForm, Receipt, Reply, State, convert_id, parse_text, read

STANDARD = (
    "id:0123456789 sub:001 dlvrd:001 submit date:2611260700 done date:2611260701 stat:DELIVRD err:000 Text:hello stat:x"
)


def deliver(text: str, *, esm_class: int = 4, tlvs: dict[int, bytes] | None = None, coding: int = 0) -> Pdu:
    message = text.encode("utf-16-be" if coding == 8 else "latin-1")
    fields = {
        "source_addr": "8613800000001",
        "destination_addr": "10690000",
        "esm_class": esm_class,
        "data_coding": coding,
        "short_message": message,
    }
    return Pdu(Command.DELIVER_SM, 1, 0, fields, tlvs or {})


def test_a_receipt_as_the_standards_appendix_writes_it() -> None:
    assert read(deliver(STANDARD)) == Receipt("0123456789", State.DELIVERED, "8613800000001", "000")


@pytest.mark.parametrize(
    ("text", "message_id", "state"),
    [
        ("ID:7 STAT:delivrd", "7", State.DELIVERED),
        ("id: 7 sub:001 stat: DELIVERED err: 0", "7", State.DELIVERED),
        ("stat:UNDELIV id:7f-a.b err:0A1", "7f-a.b", State.UNDELIVERABLE),
        ("id:7 done_date:26112607 stat:EXPIRED", "7", State.EXPIRED),
        ("id:7\nstat:REJECTD\ntext:", "7", State.REJECTED),
        ("id:a_b@c[1] stat:DELIVRD", "a_b@c[1]", State.DELIVERED),
        ("id:7 stat:FAILED", "7", State.UNDELIVERABLE),
        ("id:7 stat:ENROUTE", "7", State.ENROUTE),
        ("id:7 stat:ACCEPTD", "7", State.ACCEPTED),
        ("id:7 stat:DELETED", "7", State.DELETED),
        ("id:7 stat:UNKNOWN", "7", State.UNKNOWN),
    ],
)
def test_a_receipt_as_others_write_it(text: str, message_id: str, state: State) -> None:
    receipt = read(deliver(text))

    assert isinstance(receipt, Receipt)
    assert (receipt.message_id, receipt.state) == (message_id, state)


@pytest.mark.parametrize("text", ["", "hello", "id: stat:DELIVRD", "id:7", "id:7 stat:GIBBERISH", "stat:DELIVRD"])
def test_a_receipt_that_says_nothing_is_none(text: str) -> None:
    assert read(deliver(text)) is None


def test_parameters_go_before_the_text() -> None:
    tlvs = {int(Tlv.RECEIPTED_MESSAGE_ID): b"other\0", int(Tlv.MESSAGE_STATE): b"\5"}

    receipt = read(deliver(STANDARD, tlvs=tlvs))

    assert isinstance(receipt, Receipt)
    assert (receipt.message_id, receipt.state, receipt.error) == ("other", State.UNDELIVERABLE, "000")


def test_parameters_alone_make_a_receipt_even_where_esm_class_forgot_it() -> None:
    tlvs = {
        int(Tlv.RECEIPTED_MESSAGE_ID): b"7",
        int(Tlv.MESSAGE_STATE): b"\2",
        int(Tlv.NETWORK_ERROR_CODE): b"\3\0\x15",
    }

    assert read(deliver("", esm_class=0, tlvs=tlvs)) == Receipt("7", State.DELIVERED, "8613800000001", "21")


def test_who_reads_the_parameters_alone_knows_all_that_counts_of_what_was_delivered() -> None:
    told = read(deliver(STANDARD))
    tlvs = {int(Tlv.RECEIPTED_MESSAGE_ID): b"0123456789\0", int(Tlv.MESSAGE_STATE): b"\2"}

    by_parameters = read(deliver("whatever it says", tlvs=tlvs))

    assert isinstance(told, Receipt)
    assert isinstance(by_parameters, Receipt)
    assert (by_parameters.message_id, by_parameters.state) == (told.message_id, told.state)


def test_a_state_of_a_wrong_size_or_unknown_number_leaves_it_to_the_text() -> None:
    for octets in (b"\0\2", b"\x63", b""):
        receipt = read(deliver(STANDARD, tlvs={int(Tlv.MESSAGE_STATE): octets}))

        assert isinstance(receipt, Receipt)
        assert receipt.state is State.DELIVERED


def test_nobody_makes_a_receipt_by_writing_one() -> None:
    assert read(deliver(STANDARD, esm_class=0)) == Reply("8613800000001", "10690000", STANDARD)


def test_a_receipt_in_ucs_2_is_read_like_another() -> None:
    receipt = read(deliver(STANDARD, coding=8))

    assert isinstance(receipt, Receipt)
    assert receipt.message_id == "0123456789"


def test_a_reply_is_who_to_whom_and_what() -> None:
    assert read(deliver("退订", esm_class=0, coding=8)) == Reply("8613800000001", "10690000", "退订")


def test_a_reply_with_a_header_is_what_stands_behind_it() -> None:
    reply = read(deliver("\x05\x00\x03\x01\x01\x01TD", esm_class=0x40))

    assert isinstance(reply, Reply)
    assert reply.text == "TD"


def test_a_reply_in_a_payload_is_read() -> None:
    reply = read(deliver("", esm_class=0, tlvs={int(Tlv.MESSAGE_PAYLOAD): b"TD"}))

    assert isinstance(reply, Reply)
    assert reply.text == "TD"


@pytest.mark.parametrize(
    ("given_id", "ids", "expected"),
    [
        ("00FF", IdForm.AS_IS, "00FF"),
        ("00FF", IdForm.HEX_TO_DECIMAL, "255"),
        ("0255", IdForm.DECIMAL_TO_HEX, "FF"),
        ("a-b", IdForm.HEX_TO_DECIMAL, "a-b"),
        ("1_0", IdForm.DECIMAL_TO_HEX, "1_0"),
        ("٣", IdForm.DECIMAL_TO_HEX, "٣"),
    ],
)
def test_an_id_is_turned_into_the_form_of_the_answers(given_id: str, ids: IdForm, expected: str) -> None:
    assert convert_id(given_id, ids) == expected


def test_fields_may_stand_in_any_order_and_the_text_is_the_last() -> None:
    assert parse_text("err:1 stat:X id:7 Text:id:8 stat:Y") == {
        "err": "1",
        "stat": "X",
        "id": "7",
        "text": "id:8 stat:Y",
    }


parameters = st.dictionaries(st.sampled_from([int(tag) for tag in Tlv]), st.binary(max_size=70), max_size=4)


@given(st.binary(max_size=255), st.integers(0, 255), st.integers(0, 255), parameters, st.sampled_from(IdForm))
def test_whatever_a_message_centre_says_is_a_receipt_a_reply_or_nothing(
    message: bytes, esm_class: int, coding: int, tlvs: dict[int, bytes], ids: IdForm
) -> None:
    fields = {"short_message": message, "esm_class": esm_class, "data_coding": coding}

    assert isinstance(read(Pdu(Command.DELIVER_SM, 1, 0, fields, tlvs), ids), Receipt | Reply | None)
