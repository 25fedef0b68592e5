"""In which language somebody reads."""

import pytest

from app.web.languages import preferred


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.5,en;q=0.4", "zh"),
        ("de-DE", "en"),
        ("ZH-hant", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=much,en;q=0.1", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_one_of_ours_that_the_browser_likes_best(accepted, expected):
    assert preferred(accepted) == expected
