"""How many SMS a text costs, and in which alphabet. Pure.

Sources: 3GPP TS 23.038 section 6.2.1 (the GSM 7 bit default alphabet and its extension table); 3GPP TS 23.040 section
9.2.3.24.1 (the header of each of several parts, 6 octets with an 8-bit reference: 140 octets leave 153 septets or 67
UCS-2 units).
"""

from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each: 127 characters, for the place of the escape holds none."""
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Two septets each: the escape and one more."""


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
_OF_SEVERAL = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}


def cost(text: str) -> Cost:
    """What `text` costs: GSM-7 while every character is in it, else UCS-2.

    GSM-7: 160 septets alone, 153 in each part of several. UCS-2: 70 and 67 UTF-16 units. A character that takes two
    units (an escape or a surrogate pair) is never split between parts, so a part may stay one short.
    """
    # Most texts are Chinese: the first character that GSM-7 does not have decides.
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        wide = [at for at, letter in enumerate(text) if letter in _EXTENDED]
        return _count(Encoding.GSM_7, len(text), wide)
    wide = [at for at, letter in enumerate(text) if letter > "\uffff"] if max(text) > "\uffff" else []
    return _count(Encoding.UCS_2, len(text), wide)


def _count(encoding: Encoding, letters: int, wide: list[int]) -> Cost:
    """`wide`: where in the text the characters of two units stand, rising."""
    units = letters + len(wide)
    if units <= _ALONE[encoding]:
        return Cost(encoding, units, 1)
    room = _OF_SEVERAL[encoding]
    left_empty = 0
    for before, at in enumerate(wide):
        # The first unit of a wide character at the last place of a part: it goes to the next part whole.
        if (at + before + left_empty) % room == room - 1:
            left_empty += 1
    return Cost(encoding, units, -(-(units + left_empty) // room))
