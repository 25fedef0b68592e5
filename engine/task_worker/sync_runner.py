"""Does what a task worker has in hand, one thing after the other."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from engine.ipc.board import Cell, State
from engine.ipc.in_flight import InFlight, InFlightTask
from engine.ipc.message import SPILLED, Kind, Message, decode
from engine.ipc.transport import TaskTransport
from engine.log_lines import get_logger
from engine.task_worker.answers import Answers
from engine.task_worker.base_runner import BaseRunner, Surroundings, refuse_coroutine
from engine.task_worker.recycle_policy import RecyclePolicy
from engine.task_worker.requeuer import Requeuer, may_requeue, requeue

log = get_logger(__name__)

_TASK: Final = int(Kind.TASK)
_ANSWER_WITHIN_NS: Final = 500_000
"""Answers of quick tasks travel together, but none waits longer than this before the next task begins."""
_MOST_TOGETHER: Final = 16
"""Nor for more tasks than this, so that the event worker has something to do while we do the next."""


def _no_handler(*_: object) -> None:
    """A server without task workers needs none."""


class SyncRunner(BaseRunner):
    """Runs handlers on messages, and answers."""

    def __init__(
        self,
        surroundings: Surroundings,
        answers: Answers,
        transport: TaskTransport,
        recycle_policy: RecyclePolicy | None,
        is_to_leave: Callable[[], bool],
    ) -> None:
        super().__init__(surroundings, answers)
        board, place = surroundings.board, surroundings.place
        self._transport = transport
        self._recycle_policy = recycle_policy
        self._is_to_leave = is_to_leave
        self._cells = board.cells
        self._number = board.worker_id(place) - board.worker_num
        row = board.row(place)
        self._state, self._task_id, self._since = row + Cell.STATE, row + Cell.TASK_ID, row + Cell.SINCE_NS
        self._done, self._mean = row + Cell.DONE, row + Cell.MEAN_NS
        self._handler: Callable[..., Any] = _no_handler
        self._worker_ids = [board.worker_id(each) for each in board.event_places]
        self._done_before = self._cells[self._done]
        self._failed = 0
        self._in_flight: InFlight
        self._rest: deque[InFlightTask] = deque()
        """What is not begun. We take from the left, the thread that gives back from the right: each goes to one."""
        self._is_in_hand = False
        """Whether a packet is. Only then may the thread send answers and note them in flight."""
        self.requeuer = Requeuer(self._makes_others_wait, lambda: self._is_in_hand)

    @property
    def tasks(self) -> int:
        """How many tasks this process has done, well or not."""
        return self._cells[self._done] - self._done_before + self._failed

    def run(self, in_flight: InFlight, entries: list[InFlightTask]) -> None:
        """Do what is in hand, in order. When it is time to leave, the rest stays there for the process that follows."""
        if not entries:
            in_flight.clear()
            return
        rest, requeuer, cells = self._rest, self.requeuer, self._cells
        self._begin(in_flight, entries)
        since, mean = self._since, self._mean
        unsent, most_together = 0, self._most_together()
        sent_at_ns = now_ns = time.monotonic_ns()
        while True:
            try:
                place, message, begun, deaths = rest.popleft()
            except IndexError:
                if self._is_over(entries[-1].place + 1):
                    return
                continue
            requeuer.begun += 1
            self._at = place
            if begun:
                with requeuer.lock:
                    self._answers.send(in_flight, place)  # it may kill again, and would take them along
            if deaths >= self._max_attempts:
                self._give_up(message, deaths)
            else:
                in_flight.begin(place)
                cells[since] = now_ns
                if begun or message[0] != _TASK:
                    self._do(message, begun + 1)
                else:
                    self._do_task(message, 1)
                in_flight.end(place)
            began_ns, now_ns = now_ns, time.monotonic_ns()
            took_ns = now_ns - began_ns
            mean_ns = cells[mean]
            # one long task counts at once, quick ones win trust back over a few
            cells[mean] = took_ns if took_ns > mean_ns else (3 * mean_ns + took_ns) // 4
            unsent += 1
            if unsent >= most_together or now_ns - sent_at_ns > _ANSWER_WITHIN_NS:
                with requeuer.lock:
                    self._answers.send(in_flight, place + 1)
                    self._at = place + 1  # the thread tells that all before it are answered
                unsent, sent_at_ns = 0, now_ns
                if self._is_to_leave():
                    with requeuer.lock:
                        self._is_in_hand = False
                        rest.clear()
                    return
                most_together = self._most_together()

    def _is_over(self, count: int) -> bool:
        """Whether nothing is left to begin: all is answered then, and nothing is in flight."""
        with self.requeuer.lock:
            if self._rest:
                return False  # the requeuer had them, and they are to stay
            self._is_in_hand = False
            self._answers.send(self._in_flight, count)
            self._in_flight.clear()
            return True

    def _begin(self, in_flight: InFlight, entries: list[InFlightTask]) -> None:
        """Take a packet in hand."""
        self._handler = self._events.get("task") or _no_handler  # worker_start may have given another one
        self._in_flight, self._at = in_flight, entries[0].place
        self._rest.extend(entries)
        self._is_in_hand = True
        self.requeuer.watch()

    def _most_together(self) -> int:
        """After how many messages answers are sent, and is looked whether to leave."""
        if self._recycle_policy is None or (left := self._recycle_policy.left(self.tasks)) is None:
            return _MOST_TOGETHER
        return min(_MOST_TOGETHER, left)

    def _do(self, message: Message, attempt: int) -> None:
        """Handle one message; nothing that a handler raises gets past here."""
        if attempt > 1:
            self._note_again(message, attempt)
        if message.kind == Kind.TASK:
            self._do_task(message, attempt)
        elif message.kind == Kind.PIPE:
            self._cells[self._state] = State.AWAY  # not idle, and not in a task
            try:
                refuse_coroutine(
                    "pipe_message",
                    self._call("pipe_message", self._board.worker_id(message.source), self._bodies.read(message)),
                )
            except Exception:
                log.exception("callback raised", extra={"event": "pipe_message"})
            self._answers.put_aside(self._at, message)

    def _do_task(self, message: Message, attempt: int) -> None:
        cells = self._cells
        cells[self._task_id] = message.id
        cells[self._state] = State.BUSY
        _, codec, source, task_id, body, _, _ = message
        if codec & SPILLED:
            if (content := self._open(message, attempt)) is None:
                return
            codec, body = codec & ~SPILLED, content
        else:
            self.attempt, self._current, self._is_answered = attempt, message, False
        try:
            result = self._handler(self._server, task_id, self._worker_ids[source], decode(codec, body))
            if result is not None:
                if self._is_answered:
                    self.finish(result)  # which says that it is too late
                self._answer(message, Kind.FINISH, result)
            elif not self._is_answered:
                self._answer(message, Kind.DONE, b"")
            cells[self._done] += 1
        except Exception as error:
            self._failed += 1
            self._fail(message, error)
        finally:
            self._current = None

    def _makes_others_wait(self) -> bool:
        """The message in hand takes long: send what is answered, and let others do what they may. Whether that is
        all."""
        if not self._is_in_hand:
            return True
        self._answers.send(self._in_flight, self._at)
        stay: list[InFlightTask] = []
        go: list[InFlightTask] = []
        while self._rest:
            try:
                entry = self._rest.pop()
            except IndexError:
                break
            (go if may_requeue(entry) else stay).append(entry)
        stuck = requeue(self._transport, self._number, self._in_flight, go[::-1])
        self._rest.extendleft(sorted(stay + stuck, key=lambda entry: entry.place, reverse=True))
        self._transport.wake_other(self._number)
        return not stuck
