"""Task workers that have done their share, in a real server: others take their place, and no client notices."""

from collections import Counter
from pathlib import Path

import pytest

from engine import IpcMode
from tests.integration.engine.servers import Running, is_alive, running, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

SAID = "task worker recycled"
MODES = pytest.mark.parametrize("mode", list(IpcMode), ids=lambda mode: mode.name)


def pids(server: Running, worker_id: int) -> list[int]:
    """Of every process that had this worker id."""
    return [pid for number, pid in server.notes("worker_start") if number == worker_id]


@MODES
def test_each_task_worker_does_its_share_and_another_takes_its_place(tmp_path: Path, mode: IpcMode) -> None:
    with running(workshop, tmp_path, task_max_request=5, task_ipc_mode=mode, **FRAMES) as server, Desk(server) as desk:
        did_it = [desk.do("do here", "os.getpid()").value for _ in range(23)]

        assert [did_it.count(pid) for pid in pids(server, 1)[:5]] == [5, 5, 5, 5, 3]
        assert [line["tasks"] for line in server.log(SAID)] == [5, 5, 5, 5]
        assert server.log("child died") == []
        assert {line["delay_s"] for line in server.log("child left, starting another")} == {0.0}


@MODES
def test_in_a_flood_nothing_is_lost_while_task_workers_come_and_go(tmp_path: Path, mode: IpcMode) -> None:
    settings = {"task_max_request": 20, "task_max_request_grace": 10, "task_ipc_mode": mode, **FRAMES}
    with running(workshop, tmp_path, task_worker_num=2, **settings) as server, Desk(server) as desk:
        asked = {desk.ask("echo", number): number for number in range(600)}

        assert {number: desk.answer(number).value for number in asked} == asked

        ran = Counter(task_id for task_id, *_ in server.notes("task"))
        assert [each for each in server.notes("task") if ran[each[0]] > 1] == []
        assert len(ran) == 600
        assert len(server.log(SAID)) >= 600 // 30 - 2
        wait_until(lambda: desk.stats()["idle_task_worker_num"] == 2, "both are there again")
        stats = desk.stats()
        assert (stats["tasks_done"], stats["tasks_waiting"], stats["tasks_redelivered"]) == (600, 0, 0)


def test_a_task_worker_that_has_grown_makes_room_though_no_other_task_comes(tmp_path: Path) -> None:
    with running(workshop, tmp_path, task_max_memory=200 * 2**20, **FRAMES) as server, Desk(server) as desk:
        small = desk.do("do here", "os.getpid()").value
        assert desk.do("do here", "os.getpid()").value == small

        grown = desk.do("do here", "setattr(server, 'kept', b'x' * (300 * 2**20)) or os.getpid()").value

        assert grown == small
        wait_until(lambda: not is_alive(grown), "it is gone")
        (line,) = server.log(SAID)
        assert line["rss"] > 200 * 2**20
        assert desk.do("do here", "hasattr(server, 'kept')").value is False
