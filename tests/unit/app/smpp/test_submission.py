"""What is submitted says what it should, in parts that a phone can put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gsm_7 import BASIC, ESCAPE, EXTENDED
from app.domain.sms_parts import LONG_REFERENCE, Encoding, cost
from app.gateways.smpp.alphabet import DATA_CODING, decode, encode
from app.gateways.smpp.commands import Command, Tlv
from app.gateways.smpp.errors import Unencodable
from app.gateways.smpp.pdu import Pdu
from app.gateways.smpp.pdu import decode as decode_pdu
from app.gateways.smpp.pdu import encode as encode_pdu
from app.gateways.smpp.submission import Envelope, LongText, Submissions, relative_time

numbers = st.from_regex(r"[0-9]{1,20}", fullmatch=True)
texts = st.text(st.sampled_from("aZ@€[尊敬的😀"), max_size=400) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x1b"), max_size=200
)
envelopes = st.builds(
    Envelope,
    source=st.from_regex(r"[A-Za-z0-9]{0,20}", fullmatch=True),
    source_ton=st.integers(0, 6),
    source_npi=st.sampled_from([0, 1, 8]),
    service_type=st.sampled_from(["", "CMT"]),
    registered_delivery=st.sampled_from([0, 1]),
    validity_s=st.integers(0, 10**7),
)


def read(body: bytes) -> Pdu:
    return decode_pdu((Command.SUBMIT_SM, 0, 1, body))


@given(envelopes, numbers, texts, st.integers(0, 0xFFFF))
def test_a_body_made_in_bulk_is_the_one_that_is_made_field_by_field(
    envelope: Envelope, number: str, text: str, reference: int
) -> None:
    for body in Submissions(envelope).bodies(number, text, reference):
        pdu = read(body)

        assert encode_pdu(pdu)[16:] == body
        assert pdu.text("destination_addr") == number
        assert pdu.text("source_addr") == envelope.source
        assert pdu.text("validity_period") == relative_time(envelope.validity_s)
        assert pdu.number("registered_delivery") == envelope.registered_delivery
        assert pdu.number("dest_addr_ton") == pdu.number("dest_addr_npi") == 1
        assert pdu.tlv_number(Tlv.USER_MESSAGE_REFERENCE) == reference


@given(texts, st.integers(0, 0xFFFF))
def test_a_phone_puts_the_parts_together_to_the_text(text: str, reference: int) -> None:
    pdus = [read(body) for body in Submissions(Envelope()).bodies("1", text, reference)]

    assert len(pdus) == cost(text, LONG_REFERENCE).parts
    heard = []
    for at, pdu in enumerate(pdus, 1):
        message = pdu.message
        if len(pdus) > 1:
            assert pdu.number("esm_class") == 0x40
            assert message[:7] == b"\x06\x08\x04" + reference.to_bytes(2, "big") + bytes([len(pdus), at])
            message = message[7:]
            # unpacked, an octet a septet; packed by the message centre they and the header are 140 octets at most
            octets = len(message) * 7 / 8 if pdu.number("data_coding") == 0 else len(message)
            assert octets + 7 <= 140
        heard.append(decode(message, pdu.number("data_coding")))
    assert "".join(heard) == text


@given(st.text(st.sampled_from("a€尊"), min_size=200, max_size=400))
def test_a_payload_has_the_whole_text(text: str) -> None:
    (body,) = Submissions(Envelope(long_text=LongText.PAYLOAD)).bodies("1", text, 5)

    pdu = read(body)
    assert pdu.octets("short_message") == b""
    assert decode(pdu.message, pdu.number("data_coding")) == text


@pytest.mark.parametrize(
    ("number", "text", "reference"),
    [
        ("", "a", 1),
        ("1" * 21, "a", 1),
        ("1\x00", "a", 1),
        ("１３８", "a", 1),
        ("1", "a", 65_536),
        ("1", "a" * (152 * 255 + 1), 1),
    ],
)
def test_what_cannot_be_submitted_is_refused(number: str, text: str, reference: int) -> None:
    with pytest.raises(Unencodable):
        Submissions(Envelope()).bodies(number, text, reference)


def test_a_payload_beyond_the_standards_limit_is_refused() -> None:
    with pytest.raises(Unencodable):
        Submissions(Envelope(long_text=LongText.PAYLOAD)).bodies("1", "a" * 64_001, 1)


def test_an_envelope_that_fits_no_pdu_is_refused_before_the_first_message() -> None:
    with pytest.raises(Unencodable, match="source_addr"):
        Submissions(Envelope(source="1" * 21))


def test_a_validity_is_written_as_a_relative_time() -> None:
    assert relative_time(0) == ""
    assert relative_time(59) == "000000000059000R"
    assert relative_time(3 * 86_400 + 2 * 3600 + 61) == "000003020101000R"
    assert relative_time(400 * 86_400) == "010110000000000R"
    with pytest.raises(Unencodable):
        relative_time(10**10)


def test_the_alphabets_go_there_and_back() -> None:
    latin = BASIC.replace(BASIC[ESCAPE], "") + "".join(EXTENDED.values())

    octets = encode(latin, Encoding.GSM_7)

    assert max(octets) < 0x80
    assert decode(octets, DATA_CODING[Encoding.GSM_7]) == latin
    assert encode("€尊", Encoding.UCS_2) == "€尊".encode("utf-16-be")
    assert encode("\ud800", Encoding.UCS_2) == b"\0?"


@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_octets_in_any_coding_are_some_text(octets: bytes, data_coding: int) -> None:
    assert isinstance(decode(octets, data_coding), str)


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"TD", 0, "TD"),
        (b"TD", 1, "TD"),
        (b"\xe9", 3, "é"),
        ("退订".encode("utf-16-be"), 8, "退订"),
        ("退订".encode("utf-16-be"), 0x18, "退订"),
        (b"\x1b\x65\x00", 0x10, "€@"),
        (b"\x1b\x65\x00", 0xF0, "€@"),
        (b"\x1b", 0, " "),
        (b"\x1bA", 0, "A"),
        (b"\xff", 0, "\ufffd"),
        ("退".encode("utf-16-be"), 0xE0, "退"),
        (b"\x00\xff", 4, "\0ÿ"),
        (b"\x90\x00\x4e", 8, "\u9000\ufffd"),
    ],
)
def test_what_others_send_is_read_in_their_alphabet(octets: bytes, data_coding: int, text: str) -> None:
    assert decode(octets, data_coding) == text
