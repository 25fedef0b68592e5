"""A line over which messages go in calls: each is made once, and what gets no answer is in doubt, all of a call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from app.domain.delivery import Delivery
from app.gateways.base import NO_ANSWER, Answer, Submission
from app.sentence import Sentence

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
"""After a call that did not get out: doubled each time, until one does."""

Call = Callable[[Sequence[Submission]], Awaitable[Sequence[Answer]]]
"""Submits some messages, once; an answer for each that there is one for."""


class CallLine:
    """See Line. `window` calls are under way at once, of `batch` messages at most, and no number twice in one. A call
    that is not answered in time goes on until `call` itself gives up: what it says late still counts.

    `texts`: a call has one text, and there are so many at most; 0 where each message of a call may have its own.
    """

    def __init__(
        self,
        call: Call,
        close: Callable[[], Awaitable[None]],
        *,
        batch: int,
        window: int,
        timeout_s: float,
        texts: int = 0,
    ) -> None:
        self._call = call
        self._close = close
        self._batch = batch
        self._window = window
        self._timeout_s = timeout_s
        self._texts = texts
        self._answers: list[Answer] = []
        self._changed = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._pause_s = 0.0
        self._shut_until = 0.0
        self._why_away = ""
        """Why the last call did not get out; '' where it did."""

    @property
    def room(self) -> int:
        """See Line."""
        if asyncio.get_running_loop().time() < self._shut_until:
            return 0
        # Of each text one call may not be full, and numbers that stand twice have one of their own: both are few.
        free = self._window - len(self._under_way) - max(0, self._texts - 1)
        return max(0, free) * self._batch

    @property
    def is_empty(self) -> bool:
        """See Line."""
        return not self._under_way

    @property
    def under_way(self) -> int:
        """See Line."""
        return len(self._under_way)

    @property
    def why_away(self) -> Sentence | None:
        """See Line."""
        return Sentence("plain", text=self._why_away) if self._pause_s else None

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Line."""
        for each in self._batches(submissions):
            task = asyncio.create_task(self._make(each))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _batches(self, submissions: Sequence[Submission]) -> Iterable[Sequence[Submission]]:
        if self._batch == 1:
            return [[each] for each in submissions]
        filling: dict[str, dict[int, Submission]] = {}
        full: list[Sequence[Submission]] = []
        for each in submissions:
            text = each.text if self._texts else ""
            batch = filling.setdefault(text, {})
            if len(batch) == self._batch or each.mobile in batch:
                full.append([*batch.values()])
                batch = filling[text] = {}
            batch[each.mobile] = each
        return [*full, *([*batch.values()] for batch in filling.values())]

    async def answers(self) -> Sequence[Answer]:
        """See Line."""
        if not self._answers:
            self._changed.clear()
            await self._changed.wait()
        answers, self._answers = self._answers, []
        return answers

    async def close(self) -> None:
        """See Line."""
        for each in self._under_way:
            each.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._close()

    async def _make(self, submissions: Sequence[Submission]) -> None:
        call = asyncio.ensure_future(self._call(submissions))
        try:
            done, _ = await asyncio.wait([call], timeout=self._timeout_s)
            if not done:
                self._note([Answer(each.token, Delivery.UNKNOWN, error=NO_ANSWER) for each in submissions])
            answers = {each.token: each for each in await call}
        except Exception:
            log.exception("call failed, its messages are in doubt")
            answers = {}
        finally:
            call.cancel()
        self._note([
            answers.get(each.token) or Answer(each.token, Delivery.UNKNOWN, error=NO_ANSWER) for each in submissions
        ])  # fmt: skip

    def _note(self, answers: Sequence[Answer]) -> None:
        if any(each.is_unsent and not each.fault for each in answers):
            if not self._pause_s:
                log.warning("provider cannot be reached, trying again", extra={"error": answers[0].error})
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, self._pause_s * 2))
            self._why_away = answers[0].error
            loop = asyncio.get_running_loop()
            self._shut_until = loop.time() + self._pause_s
            loop.call_at(self._shut_until, self._changed.set)
        else:
            self._pause_s = 0.0
        self._answers.extend(answers)
        self._changed.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._changed.set()
