"""How a campaign that is watched looks."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from app.cli.watch_view import line, picture
from app.domain.pace import Pace
from app.domain.tally import Tally
from app.trigger.answers import Progress, TaskProgress


def tasks(count: int, done: int = 50, finished: int = 0) -> list[TaskProgress]:
    """So many tasks of 100 ids; the first `finished` of them are."""
    return [
        TaskProgress(number, 100, 100, 100, True) if number < finished else TaskProgress(number, done, done, 100, False)
        for number in range(count)
    ]


def progress(state: str = "running", count: int = 4, rejected: int = 0, gone: int = 0) -> Progress:
    return Progress("spring", state, "", Tally(sent=1234, rejected=rejected, gone=gone, audience=None), tasks(count))


@pytest.fixture
def pace():
    """Ten messages a second, as many ids."""
    pace = Pace()
    pace.note(0.0, 0, 0)
    pace.note(10.0, 100, 100)
    return pace


def drawn(progress: Progress, pace: Pace, note: str = "", height: int = 40, width: int = 80) -> list[str]:
    """The lines of the picture on a terminal of that size."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(picture(progress, pace, note, height))
    return [each.rstrip() for each in console.file.getvalue().splitlines()]


def test_a_line_says_how_far_how_fast_and_how_long(pace):
    assert line(progress(rejected=12, gone=3), pace) == (
        "spring: running, 1,234 sent, 50.0% done, 10 messages/s, 0:20 left, 12 rejected, 3 gone"
    )


def test_who_waits_for_the_first_message_is_told_why(pace):
    preparing = replace(progress(), preparing=True)

    assert line(preparing, pace) == "spring: running, 1,234 sent, 50.0% done, looking for duplicates"


@pytest.mark.parametrize("state", ["finished", "failed", "paused", "cancelled"])
def test_what_does_not_run_has_no_speed(pace, state):
    assert line(progress(state), pace) == f"spring: {state}, 1,234 sent, 50.0% done"


def test_a_picture_has_a_bar_for_each_task_and_one_in_all(pace):
    head, facts, *bars = drawn(progress(rejected=12), pace)

    assert head == "spring  running"
    assert facts == "1,234 sent   10 messages/s   0:20 left   12 rejected"
    assert [each.split()[:2] for each in bars[:4]] == [["task", str(number)] for number in range(4)]
    assert bars[4].startswith("all")
    assert all(each.split()[-2:-1] == ["50.0%"] for each in bars)
    assert len(bars) == 5


def test_a_picture_says_of_how_many_once_that_is_known(pace):
    _, facts, *_ = drawn(replace(progress("finished"), tally=Tally(sent=1234, audience=2000)), pace)

    assert facts == "1,234 of 2,000 sent"


def test_a_note_stands_below(pace):
    assert drawn(progress(), pace, note="the server is away")[-1] == "the server is away"


@pytest.mark.parametrize(("count", "height"), [(1, 24), (200, 24), (200, 10), (200, 1), (4, 5)])
def test_a_picture_is_never_higher_than_the_terminal_nor_wider(pace, count, height):
    lines = drawn(progress(count=count), pace, note="x", height=height)

    assert len(lines) <= max(height, 6)
    assert max(map(len, lines)) <= 80


def test_of_many_tasks_those_under_way_are_shown_and_the_rest_is_counted(pace):
    many = [*tasks(30, finished=20)[:25], *tasks(30, done=0)[25:]]

    lines = drawn(Progress("spring", "running", "", Tally(sent=1), many), pace, height=14)

    shown = [each.split()[1] for each in lines if each.startswith("task")]
    assert shown == ["20", "21", "22", "23", "24", "25", "26"]
    assert "20 tasks finished, 3 more to come" in "\n".join(lines)


def test_a_campaign_without_tasks_is_all_done(pace):
    assert line(Progress("spring", "finished", "", Tally(), []), pace) == "spring: finished, 0 sent, 100.0% done"
    assert drawn(Progress("spring", "finished", "", Tally(), []), pace)[-1].split()[-2] == "100.0%"


def test_states_of_the_ledger_are_shown_where_somebody_is_in_them(pace):
    tally = Tally(sent=5, accepted=3, delivered=1234, unknown=1)
    watched = replace(progress(), tally=tally)

    assert "3 accepted   1,234 delivered   1 unknown" in drawn(watched, pace, width=200)[1]
    assert line(watched, pace).endswith("3 accepted, 1,234 delivered, 1 unknown")
