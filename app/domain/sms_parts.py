"""How many SMS a text costs, in which alphabet, and where it is cut. Pure.

Sources: 3GPP TS 23.038 section 6.2 (the alphabets); 3GPP TS 23.040 section 9.2.3.24.1 and 9.2.3.24.8 (the header of
each of several parts: 6 octets with an 8-bit reference, 7 with one of 16 bits; of 140 octets they leave 153 septets or
67 UCS-2 units, and 152 or 66).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from app.domain.gsm_7 import OF_ONE_SEPTET, OF_TWO_SEPTETS

SHORT_REFERENCE = 6
"""Octets of the header with a reference of 8 bits."""
LONG_REFERENCE = 7
"""Octets of the header with a reference of 16 bits."""


class Encoding(StrEnum):
    """The alphabet that a phone reads a text in."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a text comes to."""

    encoding: Encoding
    units: int
    """Septets, or UTF-16 units."""
    parts: int
    """How many SMS; 1 for an empty text."""


_ALONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
_NOT_GSM_7 = re.compile(f"[^{re.escape(''.join(sorted(OF_ONE_SEPTET | OF_TWO_SEPTETS)))}]")
_OF_TWO_SEPTETS = re.compile(f"[{re.escape(''.join(sorted(OF_TWO_SEPTETS)))}]")
_OF_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")


def units_of_several(encoding: Encoding, header_octets: int) -> int:
    """How many septets or UTF-16 units each of several parts has room for."""
    octets = 140 - header_octets
    return octets * 8 // 7 if encoding is Encoding.GSM_7 else octets // 2


def cost(text: str, header_octets: int = SHORT_REFERENCE) -> Cost:
    """What `text` costs: GSM-7 while every character is in it, else UCS-2.

    GSM-7: 160 septets alone, 153 in each part of several. UCS-2: 70 and 67 UTF-16 units. With a header of 7 octets they
    are 152 and 66. A character that takes two units (an escape or a surrogate pair) is never split between parts, so a
    part may stay one short.
    """
    encoding, wide = _measure(text)
    return _count(encoding, len(text), wide, header_octets)


def parts_of(text: str, header_octets: int = SHORT_REFERENCE) -> int:
    """How many SMS `text` costs."""
    if 2 * len(text) <= _ALONE[encoding_of(text)]:  # even if each character took two units
        return 1
    return cost(text, header_octets).parts


def encoding_of(text: str) -> Encoding:
    """The alphabet that it takes."""
    return Encoding.UCS_2 if _NOT_GSM_7.search(text) else Encoding.GSM_7


def flat_parts(letters: int) -> int:
    """How many SMS so many characters are where a provider counts 70 alone and 67 in each of several, whatever they
    are. Sources: help.aliyun.com/document_detail/108072.html; cloud.tencent.com/document/product/382/18058."""
    return 1 if letters <= 70 else -(-letters // 67)


def cut(text: str, header_octets: int = SHORT_REFERENCE) -> list[str]:
    """The parts of `text`, as many as it costs."""
    encoding, wide = _measure(text)
    if len(text) + len(wide) <= _ALONE[encoding]:
        return [text]
    room = units_of_several(encoding, header_octets)
    two_units = set(wide)
    parts, begin, left = [], 0, room
    for at in range(len(text)):
        units = 2 if at in two_units else 1
        if units > left:
            parts.append(text[begin:at])
            begin, left = at, room
        left -= units
    parts.append(text[begin:])
    return parts


def _measure(text: str) -> tuple[Encoding, list[int]]:
    """The alphabet, and where in the text the characters of two units stand, rising."""
    encoding = encoding_of(text)
    wide = _OF_TWO_SEPTETS if encoding is Encoding.GSM_7 else _OF_TWO_UNITS
    return encoding, [found.start() for found in wide.finditer(text)] if wide.search(text) else []


def _count(encoding: Encoding, letters: int, wide: list[int], header_octets: int) -> Cost:
    units = letters + len(wide)
    if units <= _ALONE[encoding]:
        return Cost(encoding, units, 1)
    room = units_of_several(encoding, header_octets)
    left_empty = 0
    for before, at in enumerate(wide):
        # The first unit of a wide character at the last place of a part: it goes to the next part whole.
        if (at + before + left_empty) % room == room - 1:
            left_empty += 1
    return Cost(encoding, units, -(-(units + left_empty) // room))
