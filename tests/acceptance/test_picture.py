"""`make picture`: the terminal in the documents is one that was seen."""

import html
from pathlib import Path

import pytest

from benchmarks import picture
from tests.ports import free_port


@pytest.mark.timeout(300)
def test_the_picture_shows_a_real_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "CUSTOMERS", 2_000)
    monkeypatch.setattr(picture, "_free_port", free_port)  # nobody takes it while customers are made
    monkeypatch.setattr(picture, "PICTURE", tmp_path / "docs" / "demo.svg")

    picture.main()

    shown = html.unescape((tmp_path / "docs" / "demo.svg").read_text()).replace("\xa0", " ")
    for words in ("trigger spring --watch", "has begun, as task 0,1,2,3", "task 3", "━", "finished", "****", "2,000"):
        assert words in shown


def test_of_all_that_was_drawn_the_picture_nearest_to_sixty_percent_is_taken() -> None:
    redraw = "\r\x1b[2K\x1b[1A\x1b[2K"
    drawn = redraw.join(["分发任务给了task0执行\n", "all ━ 10.0% 1", "all ━ 55.0% 5", "all ━ 100.0% 9"])

    assert picture.halfway(drawn) == "分发任务给了task0执行\nall ━ 55.0% 5"


def test_of_a_campaign_that_was_drawn_once_that_is_the_picture() -> None:
    assert picture.halfway("分发任务给了task0执行\nall ━ 100.0% 9\n") == "分发任务给了task0执行\nall ━ 100.0% 9"
