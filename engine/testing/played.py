"""What the program's own server object is while an inline server runs it."""

from typing import NoReturn, cast

from engine.errors import UsageError
from engine.server import Server
from engine.stats import Stats
from engine.testing.place import Place
from engine.testing.role import MANAGER, current


class PlayedServer(Server):
    """The program holds its server in a module or a closure, so we cannot hand it another one. So that object takes
    this class for a while: its worker id is that of the role at work, and nothing reaches for other processes."""

    @property
    def worker_id(self) -> int:  # type: ignore[override]  # nobody sets it here
        return current().worker_id

    @property
    def taskworker(self) -> bool:  # type: ignore[override]
        return current().worker_id >= self.settings.worker_num

    @property
    def _here(self) -> Place:
        if current().worker_id == MANAGER:
            raise UsageError("this call works inside event workers and task workers only")
        return cast(Place, self._place)

    def stats(self) -> Stats:
        return cast(Place, self._place).stats()

    def start(self) -> NoReturn:
        raise UsageError("start() makes processes and a port; an InlineServer has begun when its `with` block does")

    def reload(self, only_task_workers: bool = False) -> NoReturn:
        raise UsageError("reload() replaces processes, an InlineServer has none; test it with a real server")

    def shutdown(self) -> NoReturn:
        raise UsageError("shutdown() ends processes, an InlineServer has none; leave its `with` block")

    def discard_tasks(self) -> None:
        if current().worker_id != MANAGER:
            raise UsageError("discard_tasks() belongs into manager_stop or shutdown")
