"""The alphabet of SMS, character by character as it is numbered. Pure.

Source: 3GPP TS 23.038 section 6.2.1, the GSM 7 bit default alphabet and its extension table.
"""

ESCAPE = 0x1B
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The character of each septet, one septet each: 127 of them, for the place of the escape holds none."""
EXTENDED = {
    **{0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\"},
    **{0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"},
}
"""Two septets each: the escape and this one."""

OF_ONE_SEPTET = frozenset(BASIC) - {BASIC[ESCAPE]}
OF_TWO_SEPTETS = frozenset(EXTENDED.values())
