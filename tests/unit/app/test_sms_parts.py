"""What a text costs, beside an implementation that is slow and obvious."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gsm_7 import BASIC, ESCAPE, EXTENDED
from app.domain.sms_parts import LONG_REFERENCE, Cost, Encoding, cost, cut

# Row by row as 3GPP TS 23.038 section 6.2.1 prints it, the escape (1B) as a hole.
TABLE = """
@ £ $ ¥ è é ù ì ò Ç LF Ø ø CR Å å
Δ _ Φ Γ Λ Ω Π Ψ Σ Θ Ξ ESC Æ æ ß É
SP ! " # ¤ % & ' ( ) * + , - . /
0 1 2 3 4 5 6 7 8 9 : ; < = > ?
¡ A B C D E F G H I J K L M N O
P Q R S T U V W X Y Z Ä Ö Ñ Ü §
¿ a b c d e f g h i j k l m n o
p q r s t u v w x y z ä ö ñ ü à
"""
NAMES = {"LF": "\n", "CR": "\r", "SP": " "}
ONE_SEPTET = [NAMES.get(each, each) for each in TABLE.split() if each != "ESC"]
TWO_SEPTETS = ["\f", "^", "{", "}", "\\", "[", "~", "]", "|", "€"]

latin = st.text(st.sampled_from(ONE_SEPTET + TWO_SEPTETS), max_size=700)
mixed = st.text(st.sampled_from("a[€尊敬的😀𠮷"), max_size=400)
# Around the borders, where a character of two units has one place left.
edges = st.builds(
    lambda filler, count, wide, more: filler * count + wide + filler * more,
    st.sampled_from("a尊"),
    st.sampled_from([*range(64, 72), *range(130, 137), *range(150, 163), *range(303, 310)]),
    st.sampled_from(["", "[", "😀", "[[", "😀😀", "[a[", "😀a😀"]),
    st.integers(0, 160),
)


def slow(text: str, header_octets: int = 6) -> Cost:
    """Letter by letter into parts, as one would do it by hand."""
    if all(letter in ONE_SEPTET or letter in TWO_SEPTETS for letter in text):
        encoding, alone, of_several = Encoding.GSM_7, 160, {6: 153, 7: 152}[header_octets]
        sizes = [2 if letter in TWO_SEPTETS else 1 for letter in text]
    else:
        encoding, alone, of_several = Encoding.UCS_2, 70, {6: 67, 7: 66}[header_octets]
        sizes = [len(letter.encode("utf-16-be")) // 2 for letter in text]
    if sum(sizes) <= alone:
        return Cost(encoding, sum(sizes), 1)
    parts = [0]
    for size in sizes:
        if parts[-1] + size > of_several:
            parts.append(0)
        parts[-1] += size
    return Cost(encoding, sum(sizes), len(parts))


@given(latin | mixed | edges | st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_text_costs_what_one_counts_by_hand(text):
    assert cost(text) == slow(text)


@given(latin | mixed | edges | st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_reference_of_16_bits_takes_its_octet_from_the_text(text):
    assert cost(text, LONG_REFERENCE) == slow(text, 7)


@given(latin | mixed | edges, st.sampled_from([6, 7]))
def test_a_text_is_cut_into_as_many_parts_as_it_costs_and_nothing_is_lost(text, header_octets):
    parts = cut(text, header_octets)

    assert "".join(parts) == text
    assert len(parts) == cost(text, header_octets).parts


@given(edges)
def test_no_part_is_longer_than_a_phone_takes(text):
    whole = cost(text, LONG_REFERENCE)
    room = {Encoding.GSM_7: 152, Encoding.UCS_2: 66}[whole.encoding]
    wide = TWO_SEPTETS if whole.encoding is Encoding.GSM_7 else [letter for letter in text if letter > "\uffff"]

    units = [len(part) + sum(letter in wide for letter in part) for part in cut(text, LONG_REFERENCE)]

    assert len(units) == 1 or max(units) <= room


def test_the_alphabet_is_numbered_as_the_standard_prints_it():
    assert list(BASIC[:ESCAPE] + BASIC[ESCAPE + 1 :]) == ONE_SEPTET
    assert len(BASIC) == 128
    assert sorted(EXTENDED.values()) == sorted(TWO_SEPTETS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Cost(Encoding.GSM_7, 0, 1)),
        ("a" * 160, Cost(Encoding.GSM_7, 160, 1)),
        ("a" * 161, Cost(Encoding.GSM_7, 161, 2)),
        ("a" * 306, Cost(Encoding.GSM_7, 306, 2)),
        ("a" * 307, Cost(Encoding.GSM_7, 307, 3)),
        ("€" * 80, Cost(Encoding.GSM_7, 160, 1)),
        ("a" * 152 + "€" + "a" * 152, Cost(Encoding.GSM_7, 306, 3)),
        ("好" * 70, Cost(Encoding.UCS_2, 70, 1)),
        ("好" * 71, Cost(Encoding.UCS_2, 71, 2)),
        ("好" * 134, Cost(Encoding.UCS_2, 134, 2)),
        ("好" * 135, Cost(Encoding.UCS_2, 135, 3)),
        ("😀" * 35, Cost(Encoding.UCS_2, 70, 1)),
        ("好" * 66 + "😀" + "好" * 66, Cost(Encoding.UCS_2, 134, 3)),
        ("a" * 100 + "好", Cost(Encoding.UCS_2, 101, 2)),
        ("`", Cost(Encoding.UCS_2, 1, 1)),
        ("\x1b", Cost(Encoding.UCS_2, 1, 1)),
    ],
)
def test_the_borders_are_those_of_the_standard(text, expected):
    assert cost(text) == expected


def test_the_alphabet_has_137_characters():
    latin = [letter for letter in map(chr, range(0x3000)) if cost(letter).encoding is Encoding.GSM_7]

    assert len(latin) == len(ONE_SEPTET) + len(TWO_SEPTETS) == 137
    assert set(latin) == {*ONE_SEPTET, *TWO_SEPTETS}
