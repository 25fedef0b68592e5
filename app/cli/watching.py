"""Watches a campaign through the server until it is over, over restarts of the server."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from app.catalogue import say
from app.domain.campaign import State
from app.errors import Refused, ServerGone
from app.sentence import Sentence
from app.trigger.answers import Progress, read_progress
from app.trigger.client import Facts, Remote
from app.trigger.requests import Trigger, Watch

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row, from 1: twice as long each time, a little by chance, so that
    not all who watch come back at the same moment."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)) * random.uniform(0.75, 1.0)  # noqa: S311


class Watching:
    """One request whose campaign is then watched.

    What goes wrong before the server's first answer is raised. After it, whoever closes the connection, does not
    answer, or cannot obey now is asked again with growing pauses, for ever; `say` is told so.
    """

    def __init__(self, remote: Remote, request: Trigger | Watch, say: Callable[[str], None]) -> None:
        self._remote = remote
        self._request = request
        self._say = say
        self._failures = 0

    def run(self, on_answer: Callable[[Facts], None], on_progress: Callable[[Progress], None]) -> Progress:
        """The final progress. `on_answer` gets the server's first answer."""
        request = self._request
        lost = Sentence("lost.may_have_started", campaign=request.campaign)
        with ExitStack() as connection:
            answers = connection.enter_context(self._remote.ask(request, timeout_s=None, lost=lost))
            on_answer(next(answers))
            try:
                if final := self._follow(answers, on_progress):
                    return final
            except (ServerGone, Refused) as error:
                self._wait(error)
        return self._come_back(on_progress)

    def _come_back(self, on_progress: Callable[[Progress], None]) -> Progress:
        request = Watch(self._request.campaign)
        while True:
            try:
                with self._remote.ask(request, timeout_s=None, lost=Sentence("lost.again")) as answers:
                    next(answers)
                    self._say(say("server.back"))
                    self._failures = 0
                    if final := self._follow(answers, on_progress):
                        return final
            except (ServerGone, Refused) as error:
                self._wait(error)

    def _follow(self, answers: Iterator[Facts], on_progress: Callable[[Progress], None]) -> Progress | None:
        for facts in answers:
            try:
                progress = read_progress(facts)
                is_final = State(progress.state).is_final
            except ValueError as error:
                raise self._remote.stranger() from error
            on_progress(progress)
            if is_final:
                return progress
        return None

    def _wait(self, error: ServerGone | Refused) -> None:
        if isinstance(error, Refused) and not error.is_temporary:
            raise error
        self._failures += 1
        seconds = pause_s(self._failures)
        self._say(say("trying_again.in", why=error, seconds=seconds))
        time.sleep(seconds)
