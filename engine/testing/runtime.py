"""The runtime of an inline server: one process, which is every worker by turns."""

from typing import NoReturn

from engine.errors import UsageError
from engine.stats import Stats
from engine.testing.inline_worker import InlineWorker
from engine.testing.role import MANAGER, current


class InlineRuntime:
    """Tells the program's own server object which worker it is: the current role. There are no other processes."""

    def __init__(self, place: InlineWorker, task_workers: range) -> None:
        """`task_workers`: their worker ids."""
        self._place = place
        self._task_workers = task_workers

    @property
    def worker_id(self) -> int:
        return current().worker_id

    @property
    def taskworker(self) -> bool:
        return current().worker_id in self._task_workers

    def stats(self) -> Stats:
        return self._place.stats()

    def refuse_start(self) -> NoReturn:
        raise UsageError("start() makes processes and a port; an InlineServer has begun when its `with` block does")

    def reload(self, *, only_task_workers: bool) -> NoReturn:
        raise UsageError("reload() replaces processes, an InlineServer has none; test it with a real server")

    def shutdown(self) -> NoReturn:
        raise UsageError("shutdown() ends processes, an InlineServer has none; leave its `with` block")

    def discard_tasks(self) -> None:
        if current().worker_id != MANAGER:
            raise UsageError("discard_tasks() belongs into manager_stop or shutdown")
