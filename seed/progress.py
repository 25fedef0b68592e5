"""Shows how far a long job is: a bar on a terminal, now and then a line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.catalogue import say
from app.console import out

LINE_EVERY_S = 1.0


@contextmanager
def shown(total: int) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the rows done so far, out of `total`; its first call starts the clock."""
    if not out.file.isatty():
        yield Lines(total, out.print)
        return
    columns = (
        TextColumn(say("seed.customers")),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        _Rate(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=out)
    task = bar.add_task("", total=total, start=False)

    def show(done: int) -> None:
        if not bar.tasks[task].started:
            bar.start()
            bar.start_task(task)
        bar.update(task, completed=done)

    try:
        yield show
    finally:
        bar.stop()


class Lines:
    """At most one line a second, for logs and pipes."""

    def __init__(self, total: int, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._say = say
        self._clock = clock
        self._started: float | None = None
        self._last = 0.0

    def __call__(self, done: int) -> None:
        now = self._clock()
        if self._started is None:
            self._started = self._last = now
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        rate = done / (now - self._started)
        left_s = (self._total - done) / rate
        self._say(say("seed.progress", count=self._total, done=done, rate=rate, left_s=left_s))


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(say("seed.rate", rate=task.finished_speed or task.speed or 0))
