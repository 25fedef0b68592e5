"""How a campaign that is watched looks: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.catalogue import say, word
from app.console import err, live, out
from app.domain.campaign import State
from app.domain.pace import Pace
from app.trigger.answers import Progress, TaskProgress
from app.wording import duration

PLAIN_EVERY_S = 1.0
"""Where the output is no terminal: at most one line of progress in this time."""
OTHER_LINES = 6
"""Of a terminal, beside the bars of the tasks: what is above and below them, and the prompt."""
BAR_CELLS = 40

_COLOURS = {"running": "cyan", "finished": "green", "paused": "yellow", "failed": "red", "cancelled": "red"}


class WatchView:
    """Shows progress as it comes. On a terminal between `with` and its end; the last picture stays."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._progress: Progress | None = None
        self._note = ""
        self._printed_at = float("-inf")
        self._live = Live(get_renderable=self._render, console=live, refresh_per_second=8, vertical_overflow="crop")

    def __enter__(self) -> Self:
        if live.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if live.is_terminal:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """One progress line of the server."""
        if progress.state != State.RUNNING:
            self._pace.forget()
        self._pace.note(time.monotonic(), progress.tally.sent, progress.done)
        before = self._progress
        is_news = before is None or (progress.state, progress.held_up_by) != (before.state, before.held_up_by)
        self._progress, self._note = progress, ""
        if not live.is_terminal and (is_news or time.monotonic() >= self._printed_at + PLAIN_EVERY_S):
            self._printed_at = time.monotonic()
            out.print(line(progress, self._pace))
            if is_news and progress.held_up_by:
                err.print(word(progress.held_up_by))

    def say(self, note: str) -> None:
        """Something about the watching itself."""
        self._note = note
        self._pace.forget()
        if not live.is_terminal:
            err.print(note)

    def _render(self) -> Group:
        if self._progress is None:
            return Group()
        return picture(self._progress, self._pace, self._note, live.height)


def line(progress: Progress, pace: Pace) -> str:
    """Progress in one line."""
    sent = say("watching.sent", sent=progress.tally.sent)
    facts = [sent, say("watching.done", done=progress.share), *_facts(progress, pace)]
    return say("watching.line", campaign=progress.campaign, state=progress.state, facts=", ".join(facts))


def picture(progress: Progress, pace: Pace, note: str, height: int) -> Group:
    """Progress with a bar for each task, as many as `height` lines have room for, and one in all."""
    head = Text.assemble(
        (progress.campaign, "bold"),
        "  ",
        (say(f"state.{progress.state}"), _COLOURS.get(progress.state, "")),
        no_wrap=True,
    )
    tally = progress.tally
    if tally.audience is None:
        sent = say("watching.sent", sent=tally.sent)
    else:
        sent = say("watching.sent_of", sent=tally.sent, audience=tally.audience)
    facts = Text("   ".join([sent, *_facts(progress, pace)]), no_wrap=True)
    bars = Table.grid(padding=(0, 1))
    held_up = [word(progress.held_up_by)] if progress.held_up_by else []
    shown, others = _chosen(progress.tasks, max(1, height - OTHER_LINES - len(held_up)))
    for each in shown:
        _add_bar(bars, say("watching.task", task=each.number), each.done, each.of, each.sent)
    _add_bar(bars, say("all"), progress.done, progress.of, progress.tally.sent)
    texts = [(others, "dim"), *((text, "yellow") for text in (*held_up, note))]
    below = [Text(text, style, no_wrap=True) for text, style in texts if text]
    return Group(head, facts, bars, *below)


def _facts(progress: Progress, pace: Pace) -> list[str]:
    facts = []
    if progress.preparing:
        facts.append(say("watching.preparing"))
    elif progress.state == State.RUNNING:
        if (rate := pace.messages_per_s) > 0:
            facts.append(say("watching.rate", rate=rate))
        if (left_s := pace.left_s(progress.of - progress.done)) is not None:
            facts.append(say("watching.left", left=duration(left_s)))
    tally = progress.tally
    facts += [
        say("watching.in_state", number=count, what=say(f"delivery.{each}")) for each, count in tally.states.items()
    ]
    if tally.rejected:
        facts.append(say("watching.rejected", rejected=tally.rejected))
    if tally.gone:
        facts.append(say("watching.gone", gone=tally.gone))
    return facts


def _chosen(tasks: Sequence[TaskProgress], room: int) -> tuple[list[TaskProgress], str]:
    """The tasks to show, and what is said of the rest: those under way go first."""
    if len(tasks) <= room:
        return list(tasks), ""
    under_way = [each for each in tasks if not each.finished and each.done]
    waiting = [each for each in tasks if not each.finished and not each.done]
    shown = (under_way + waiting)[: room - 1]
    finished = sum(each.finished for each in tasks)
    return shown, say("watching.others", finished=finished, more=len(tasks) - finished - len(shown))


def _add_bar(bars: Table, name: str, done: int, of: int, sent: int) -> None:
    share = done / of if of else 1.0
    bars.add_row(
        name, ProgressBar(total=of or 1, completed=done if of else 1, width=BAR_CELLS), f"{share:>6.1%}", f"{sent:>13,}"
    )
