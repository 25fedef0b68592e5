"""What a message centre tells us in a deliver_sm or data_sm: a receipt for one of our messages, or a reply. Pure.

Source: SMPP 3.4 sections 5.2.12 (esm_class), 5.2.28 (message_state), 5.3.2.12 and 5.3.2.35 (the optional parameters),
and Appendix B (the receipt as a text, which every message centre writes a little differently).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from app.gateways.smpp.alphabet import LATIN_1, UCS_2, decode
from app.gateways.smpp.commands import Tlv
from app.gateways.smpp.pdu import Pdu


class State(StrEnum):
    """What became of a message."""

    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    """A person read it on behalf of the receiver, as at a customer desk."""
    UNKNOWN = "unknown"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether nothing else will come of it."""
        return self is not State.ENROUTE


class IdForm(StrEnum):
    """How the ids of receipts relate to those of answers. Some message centres answer in one form and report in the
    other."""

    AS_IS = "as-is"
    HEX_TO_DECIMAL = "hex-to-decimal"
    """Receipts have hexadecimal digits, answers had decimal ones."""
    DECIMAL_TO_HEX = "decimal-to-hex"


_BY_NUMBER: dict[int | None, State] = {
    1: State.ENROUTE,
    2: State.DELIVERED,
    3: State.EXPIRED,
    4: State.DELETED,
    5: State.UNDELIVERABLE,
    6: State.ACCEPTED,
    7: State.UNKNOWN,
    8: State.REJECTED,
}
_BY_WORD = {
    "ENROUT": State.ENROUTE,
    "BUFFER": State.ENROUTE,
    "DELIVR": State.DELIVERED,
    "DELIVE": State.DELIVERED,
    "EXPIRE": State.EXPIRED,
    "DELETE": State.DELETED,
    "UNDELI": State.UNDELIVERABLE,
    "FAILED": State.UNDELIVERABLE,
    "ACCEPT": State.ACCEPTED,
    "UNKNOW": State.UNKNOWN,
    "REJECT": State.REJECTED,
}
"""By the first six letters: DELIVRD is the standard's word, DELIVERED is written, too."""
_KEY = re.compile(r"\b(id|sub|dlvrd|submit[ _]date|done[ _]date|stat|err|text)\s*:\s*", re.IGNORECASE)
_USUAL = re.compile(
    r"id:(?P<id>\S+) sub:\d+ dlvrd:\d+ submit date:\d+ done date:\d+ stat:(?P<stat>[A-Z]+) err:(?P<err>\w+) text:"
)
"""What the standard shows, and most write."""
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_MOST_TEXT = 1000
"""Bytes of a receipt that are looked at."""
_RECEIPT = 0x04
_INTERMEDIATE = 0x20
_HAS_HEADER = 0x40


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message of ours, as far as the message centre says."""

    message_id: str
    state: State
    number: str
    """Whom the message was for."""
    error: str
    """The network's error code as it was written, empty where there is none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody sent to our number."""

    number: str
    to: str
    text: str


def read(pdu: Pdu, ids: IdForm = IdForm.AS_IS) -> Receipt | Reply | None:
    """What a deliver_sm or data_sm says; None for a receipt that does not say for which message, or what became of it.

    It is a receipt where esm_class or the optional parameters say so. A text alone does not make one: anybody with a
    phone can write `id:1 stat:DELIVRD`.
    """
    message, coding = _without_header(pdu), pdu.number("data_coding")
    by_tlv = pdu.tlv_text(Tlv.RECEIPTED_MESSAGE_ID)
    if not (pdu.number("esm_class") & (_RECEIPT | _INTERMEDIATE) or by_tlv):
        return Reply(pdu.text("source_addr"), pdu.text("destination_addr"), decode(message, coding))
    told: dict[str, str] = {}
    by_number = pdu.tlv_number(Tlv.MESSAGE_STATE)
    if not (by_tlv and _BY_NUMBER.get(by_number) is State.DELIVERED):  # then the text has nothing to add
        # Written by a program, in ASCII, whatever the default alphabet is: in GSM-7 the _ of an id would be another
        # letter.
        told = parse_text(decode(message, UCS_2 if coding == UCS_2 else LATIN_1))
    state = _state(by_number, told.get("stat", ""))
    message_id = by_tlv or told.get("id", "")
    if not message_id or state is None:
        return None
    return Receipt(
        message_id=convert_id(message_id, ids),
        state=state,
        number=pdu.text("source_addr"),
        error=told.get("err") or _network_error(pdu),
    )


def parse_text(text: str) -> dict[str, str]:
    """The fields of a receipt by their names in small letters, id, stat and err among them where they are there.
    Whatever order they stand in; `text` is the last one."""
    text = text[:_MOST_TEXT]
    if usual := _USUAL.match(text):
        return usual.groupdict()
    found = list(_KEY.finditer(text))
    fields: dict[str, str] = {}
    ends = [each.start() for each in found[1:]] + [len(text)]
    for here, end in zip(found, ends, strict=False):
        key = here[1].lower().replace("_", " ")
        if key == "text":
            fields.setdefault(key, text[here.end() :])
            break
        fields.setdefault(key, text[here.end() : end].strip())
    return fields


def _state(by_number: int | None, by_word: str) -> State | None:
    """The number counts where it is one of the standard's."""
    if by_number in _BY_NUMBER:
        return _BY_NUMBER[by_number]
    return _BY_WORD.get(by_word.upper()[:6])


def convert_id(message_id: str, ids: IdForm) -> str:
    """The id as the answer to the submission had it. One that is no number is left as it is."""
    if ids is IdForm.HEX_TO_DECIMAL and _HEXADECIMAL.fullmatch(message_id):
        return str(int(message_id, 16))
    if ids is IdForm.DECIMAL_TO_HEX and _DECIMAL.fullmatch(message_id):
        return f"{int(message_id):X}"
    return message_id


def _network_error(pdu: Pdu) -> str:
    """Of three octets the first names the network, the others the error."""
    octets = pdu.tlvs.get(Tlv.NETWORK_ERROR_CODE, b"")
    return str(int.from_bytes(octets[1:], "big")) if len(octets) == 3 else ""


def _without_header(pdu: Pdu) -> bytes:
    """A message behind its user data header, where esm_class says that there is one."""
    message = pdu.message
    if pdu.number("esm_class") & _HAS_HEADER and message:
        return message[1 + message[0] :]
    return message
