"""What is done to the server of the chaos test, each a small function that the seeded random chooses from."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.integration.engine.chaos_senders import Crowd
from tests.integration.engine.servers import Running, wait_until

RELOADS = [signal.SIGUSR1, signal.SIGUSR2]


@dataclass(slots=True)
class Scene:
    """What an action works with."""

    server: Running
    chance: random.Random
    crowd: Crowd
    kills: int = 0
    """How many processes were killed."""

    def pause(self, least_s: float, most_s: float) -> None:
        """Let the server go on for a while."""
        threading.Event().wait(self.chance.uniform(least_s, most_s))

    def kill(self, pids: Sequence[int]) -> None:
        """kill -9 of each."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def workers(self, kind: str = "") -> list[int]:
        """Those whose title begins so, once there is one."""
        return wait_until(
            lambda: [pid for title, pid in self.server.family() if title != "manager" and title.startswith(kind)],
            f"a {kind or 'worker'} to do something to",
            60,
        )

    def in_both_seats(self) -> list[int]:
        """The processes that share their worker id with another one."""
        family = self.server.family()
        titles = Counter(title for title, _ in family)
        return [pid for title, pid in family if titles[title] > 1 and title != "manager"]

    def some(self, pids: Sequence[int]) -> list[int]:
        """One of them, or two."""
        return self.chance.sample(pids, min(len(pids), self.chance.choice([1, 1, 2])))


Action = Callable[[Scene], None]


def kill(scene: Scene) -> None:
    """A worker or a few, whatever they are at."""
    for _ in range(scene.chance.choice([1, 2, 3])):
        scene.kill(scene.some(scene.workers()))
        scene.pause(0, 0.05)


def reload(scene: Scene) -> None:
    """Once, or again before the first one is through."""
    for _ in range(scene.chance.choice([1, 1, 2, 3])):
        scene.server.send_signal(scene.chance.choice(RELOADS))
        scene.pause(0, 0.2)


def reload_during_long_tasks(scene: Scene) -> None:
    ask_for_long_tasks(scene)
    reload(scene)


def kill_during_reload(scene: Scene) -> None:
    """The old process of a worker id or the new one, which may not be ready yet, or both."""
    ended = len(scene.server.log("reload ended"))
    scene.server.send_signal(scene.chance.choice(RELOADS))
    wait_until(lambda: scene.in_both_seats() or len(scene.server.log("reload ended")) > ended, "a reload", 60)
    scene.pause(0, 0.1)
    scene.kill(scene.some(scene.in_both_seats()))


def kill_beside_a_long_task(scene: Scene) -> None:
    """A long task keeps the old task worker while the new one works: either of them dies, and perhaps one more."""
    ask_for_long_tasks(scene)
    scene.server.send_signal(signal.SIGUSR2)
    scene.pause(0.1, 0.6)
    for _ in range(scene.chance.choice([1, 2])):
        scene.kill(scene.some(scene.in_both_seats()))
        scene.pause(0, 0.1)


def fill_inboxes(scene: Scene) -> None:
    """An event worker stands still while others have much to say to it, and goes on, or dies, or they do."""
    pid = scene.chance.choice(scene.workers("worker"))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        scene.crowd.ask(b"!shout", 4)
        scene.pause(0.2, 0.7)
        if scene.chance.random() < 0.3:
            scene.kill([pid])
        elif scene.chance.random() < 0.3:
            scene.kill(scene.some(scene.workers("task worker")))
        os.kill(pid, signal.SIGCONT)


def fork_in_handlers(scene: Scene) -> None:
    """Their children end in good order; the task workers may not."""
    scene.crowd.ask(scene.chance.choice([b"!fork", b"!os.fork"]), 6)
    scene.pause(0, 0.1)
    if scene.chance.random() < 0.5:
        scene.kill(scene.some(scene.workers("task worker")))


def ask_for_long_tasks(scene: Scene) -> None:
    """Some of them longer than a leaving process may take."""
    for _ in range(scene.chance.choice([1, 2, 4])):
        scene.crowd.ask(b"!long %d" % scene.chance.randrange(200, 1_500))


ACTIONS: list[Action] = [
    kill,
    kill,
    reload,
    reload_during_long_tasks,
    kill_during_reload,
    kill_beside_a_long_task,
    fill_inboxes,
    fork_in_handlers,
]
