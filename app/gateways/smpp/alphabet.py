"""Texts to octets and back, in the alphabets of SMS: GSM-7 with an octet for each septet, or UCS-2. Pure.

Sources: SMPP 3.4 section 5.2.19 (data_coding); 3GPP TS 23.038 sections 4 (data coding schemes) and 6.2.
"""

from app.domain.gsm_7 import BASIC, ESCAPE, EXTENDED
from app.domain.sms_parts import Encoding

DEFAULT = 0x00
LATIN_1 = 0x03
UCS_2 = 0x08
DATA_CODING = {Encoding.GSM_7: DEFAULT, Encoding.UCS_2: UCS_2}
"""What a message centre is told about each; 0 is its default alphabet, which is GSM-7 nearly everywhere."""

_TO_SEPTETS = {ord(letter): chr(number) for number, letter in enumerate(BASIC) if number != ESCAPE}
_TO_SEPTETS |= {ord(letter): chr(ESCAPE) + chr(number) for number, letter in EXTENDED.items()}
_FROM_SEPTETS = [" " if number == ESCAPE else letter for number, letter in enumerate(BASIC)]
"""An escape at the very end stands for nothing; a phone shows a space."""

_NAMED = {
    **{DEFAULT: "", 0x01: "ascii", LATIN_1: "latin-1", 0x05: "iso2022_jp"},
    **{0x06: "iso8859-5", 0x07: "iso8859-8", UCS_2: "utf-16-be", 0x0E: "euc_kr"},
}
_OF_PHONES = {0: "", 2: "utf-16-be"}


def encode(text: str, encoding: Encoding) -> bytes:
    """The octets of `text`, which `encoding` must be able to carry, as app.domain.sms_parts finds it."""
    if encoding is Encoding.GSM_7:
        return text.translate(_TO_SEPTETS).encode("ascii")
    return text.encode("utf-16-be", "replace")


def decode(octets: bytes, data_coding: int) -> str:
    """The text of octets that somebody sent. What cannot be read is shown as U+FFFD; octets that are data and no text,
    as one character each."""
    codec = _codec(data_coding)
    return octets.decode(codec, "replace") if codec else _decode_septets(octets)


def _codec(data_coding: int) -> str:
    """The name of a codec of Python, empty for GSM-7: what SMPP numbers below 16, above that TS 23.038's groups."""
    if data_coding < 0x10:
        return _NAMED.get(data_coding, "latin-1")
    if data_coding < 0x80:
        return _OF_PHONES.get(data_coding >> 2 & 3, "latin-1")
    if data_coding >= 0xF0:
        return "latin-1" if data_coding & 0x04 else ""
    return {0xC: "", 0xD: "", 0xE: "utf-16-be"}.get(data_coding >> 4, "latin-1")


def _decode_septets(octets: bytes) -> str:
    letters, at = [], 0
    while at < len(octets):
        number = octets[at]
        at += 1
        if number == ESCAPE and at < len(octets):
            # TS 23.038: a phone shows what it does not know of the extension as the character of the basic table.
            letters.append(EXTENDED.get(octets[at]) or _FROM_SEPTETS[octets[at] & 0x7F])
            at += 1
        else:
            letters.append(_FROM_SEPTETS[number] if number < 0x80 else "\ufffd")
    return "".join(letters)
