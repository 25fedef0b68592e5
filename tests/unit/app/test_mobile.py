"""app/domain/mobile.py: one form for every way to write a number."""

import pytest

from app.domain.mobile import mask, mask_all, normalise


@pytest.mark.parametrize(
    "written",
    [
        "13800000001",
        " 13800000001\t",
        "\u300013800000001\u3000",
        "１３８０００００００１",
        "+8613800000001",
        "+86 13800000001",
        "+86-138-0000-0001",
        "008613800000001",
        "0086-13800000001",
        "＋８６１３８０００００００１",
        "138-0000-0001",
        "138－0000－0001",
        "138–0000—0001",
        " +86-13800000001 ",
        "138 0000 0001",
        "138\u30000000\u00a00001",
        "+86 138 0000 0001",
        "00 86 138 - 0000 - 0001",
    ],
)
def test_every_way_to_write_a_number_becomes_its_digits(written: str) -> None:
    assert normalise(written) == "13800000001"


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "12800000001",
        "1380000000",
        "138000000011",
        "23800000001",
        "0138000000001",
        "8613800000001",  # without + or 00 it may be anything
        "+8713800000001",
        "+86+8613800000001",
        "138 0000 000",
        "138 0000 0001 2",
        "138\t0000\n0001",
        "138a0000001",
        "١٣٨٠٠٠٠٠٠٠١",
        "13800000001\n13800000002",
    ],
)
def test_what_cannot_be_dialled_is_none(written: str) -> None:
    assert normalise(written) is None


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ("13800000001", "138****0001"),
        ("尊敬的手机号为13800000001的张伟", "尊敬的手机号为138****0001的张伟"),
        ("('13800000001', '19912345678')", "('138****0001', '199****5678')"),
        ("+8613800000001 008613800000001 +86-138-0000-0001", "+86138****0001 0086138****0001 +86-138-****-0001"),
        ("138 0000 0001", "138 **** 0001"),
        ("１３８０００００００１", "１３８****０００１"),
    ],
)
def test_the_middle_of_every_number_in_a_text_is_masked(written: str, masked: str) -> None:
    assert mask(written) == masked


@pytest.mark.parametrize(
    "text", ["", "12800000001", "138000000011", "1732477789123", "2026-11-24 19:49:50,123", "1e13"]
)
def test_what_is_no_mobile_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ("编号1213800000001", "编号12138****0001"),
        ("1380000000112", "138****000112"),
        ("1３８０００００００１2", "1３８****０００１2"),
        ("1380000000119912345678", "138****0001199****5678"),
        ("1513800000001", "151******0001"),
        ("2026-11-24 19:49:5013800000001", "2026-11-24 19:49:50138****0001"),
        ("+86 138-0000-0001 und 13800000001", "+86 138-****-0001 und 138****0001"),
        ("客户128000000001", "客户128000000001"),
    ],
)
def test_a_number_is_masked_where_other_digits_touch_it_too(written: str, masked: str) -> None:
    assert mask_all(written) == masked
