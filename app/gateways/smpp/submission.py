"""A message's submit_sm bodies, one for each part, as many a second as a sender wants. Pure.

Sources: SMPP 3.4 sections 4.4.1 (submit_sm), 5.2.12 (esm_class), 7.1.1 (relative times); 3GPP TS 23.040 section
9.2.3.24.8 (the header of a part, with a reference of 16 bits: `06 08 04 | reference u16 | parts u8 | number u8`).
"""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.sms_parts import LONG_REFERENCE, Encoding, cut, encoding_of
from app.gateways.smpp.alphabet import DATA_CODING, encode
from app.gateways.smpp.commands import Command, Tlv
from app.gateways.smpp.errors import Unencodable
from app.gateways.smpp.pdu import encode_fields, encode_tlv

MOST_PARTS = 255
_HAS_HEADER = 0x40
_MOST_PAYLOAD = 64_000
_ALONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 140}
"""Octets of a text that goes in one part, as alphabet.encode writes it."""


class LongText(StrEnum):
    """How a text that takes several parts is handed over."""

    PARTS = "parts"
    """A submit_sm for each, with a header that tells the phone how they belong together."""
    PAYLOAD = "payload"
    """One submit_sm with message_payload; the message centre cuts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What all messages of a campaign have in common."""

    source: str = ""
    source_ton: int = 0
    source_npi: int = 0
    dest_ton: int = 1
    dest_npi: int = 1
    service_type: str = ""
    registered_delivery: int = 1
    """1 asks for a receipt when the message's end is known, 0 for none."""
    validity_s: int = 0
    """Seconds after which the message centre gives a message up; 0 leaves it to the message centre."""
    long_text: LongText = LongText.PARTS


def relative_time(seconds: int) -> str:
    """`YYMMDDhhmmss000R`, from now on; empty for 0. Days are counted in full, months as 30 of them."""
    if seconds <= 0:
        return ""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    year, month = divmod(months, 12)
    if year > 99:
        raise Unencodable(f"a validity of {seconds} s is above 99 years")
    return f"{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


class Submissions:
    """Makes bodies of submit_sm. What is the same in all is encoded, and checked, once. Raises Unencodable."""

    def __init__(self, envelope: Envelope) -> None:
        self._long_text = envelope.long_text
        whole = encode_fields(
            Command.SUBMIT_SM,
            {
                "service_type": envelope.service_type,
                "source_addr_ton": envelope.source_ton,
                "source_addr_npi": envelope.source_npi,
                "source_addr": envelope.source,
                "dest_addr_ton": envelope.dest_ton,
                "dest_addr_npi": envelope.dest_npi,
                "validity_period": relative_time(envelope.validity_s),
                "registered_delivery": envelope.registered_delivery,
            },
        )
        # Behind the destination's NUL come esm_class, protocol_id, priority_flag, schedule_delivery_time (empty),
        # validity_period, registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id, sm_length.
        validity = len(relative_time(envelope.validity_s)) + 1
        behind = len(whole) - (4 + validity + 5)
        self._before = whole[: behind - 1]
        self._middle = whole[behind + 1 : -3]

    def bodies(self, number: str, text: str, reference: int) -> list[bytes]:
        """The bodies for one message; as many as it has parts, or one with message_payload.

        `number`: digits, 20 at most. `reference`: ours, 16 bits; the phone tells parts of one message from those of
        another by it, and the message centre gives it back as user_message_reference.
        """
        if not number.isascii() or "\0" in number or not 0 < len(number) <= 20:
            raise Unencodable("destination_addr does not fit, it is a text with its NUL in 21")
        if not 0 <= reference <= 0xFFFF:
            raise Unencodable(f"reference {reference} has more than 16 bits")
        before = self._before + number.encode("ascii") + b"\0"
        tlv = b"\x02\x04\x00\x02" + reference.to_bytes(2, "big")
        encoding = encoding_of(text)
        octets, coding = encode(text, encoding), DATA_CODING[encoding]
        if len(octets) <= _ALONE[encoding]:
            return [self._body(before, 0, coding, octets, tlv)]
        if self._long_text is LongText.PAYLOAD:
            return [self._body(before, 0, coding, b"", tlv + _payload(octets))]
        parts = cut(text, LONG_REFERENCE)
        if len(parts) > MOST_PARTS:
            raise Unencodable(f"a text of {len(parts)} parts, there are {MOST_PARTS} at most")
        header = b"\x06\x08\x04" + reference.to_bytes(2, "big") + bytes([len(parts)])
        return [
            self._body(before, _HAS_HEADER, coding, header + bytes([at]) + encode(part, encoding), tlv)
            for at, part in enumerate(parts, 1)
        ]

    def _body(self, before: bytes, esm_class: int, coding: int, message: bytes, tlvs: bytes) -> bytes:
        return b"%b%c%b%c\0%c%b%b" % (before, esm_class, self._middle, coding, len(message), message, tlvs)


def _payload(octets: bytes) -> bytes:
    if len(octets) > _MOST_PAYLOAD:
        raise Unencodable(f"a text of {len(octets)} bytes, there are {_MOST_PAYLOAD} at most")
    return encode_tlv(Tlv.MESSAGE_PAYLOAD, octets)
