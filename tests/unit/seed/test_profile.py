"""What we take from Faker."""

import re

from seed import profile


def test_china_has_names_of_both_genders_and_weighted_surnames():
    china = profile.zh_cn()

    assert len(china.women) > 50
    assert len(china.men) > 50
    assert dict(china.surnames)["王"] > dict(china.surnames)["宁"] > 0


def test_prefixes_are_those_of_mobiles_and_none_comes_twice():
    prefixes = profile.zh_cn().prefixes

    assert all(re.fullmatch(r"1[3-9]\d", prefix) for prefix in prefixes)
    assert len(set(prefixes)) == len(prefixes) > 20


def test_no_name_is_longer_than_its_column_or_breaks_a_line():
    china = profile.zh_cn()
    words = [*china.women, *china.men, *(name for name, _ in china.surnames)]

    assert all(0 < len(word) <= 32 and word.isalpha() for word in words)
