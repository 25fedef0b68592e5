"""exists and get_client_info: right in every process, whichever worker has the connection."""

from contextlib import ExitStack
from pathlib import Path

from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

WORKERS = {"worker_num": 2, "task_worker_num": 1, **FRAMES}


def desks_at_both(server: Running, stack: ExitStack) -> tuple[Desk, Desk]:
    """A desk at each event worker."""
    found: dict[int, Desk] = {}
    for _ in range(500):
        desk = stack.enter_context(Desk(server))
        found.setdefault(desk.do("here", "server.worker_id").value, desk)
        if len(found) == 2:
            return found[0], found[1]
    raise AssertionError("one event worker takes all connections")


def test_a_client_is_known_to_its_worker_to_the_other_one_and_to_task_workers(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **WORKERS) as server, ExitStack() as stack:
        own, other = desks_at_both(server, stack)
        fd = own.do("here", "fd").value
        question = f"(server.exists({fd}), server.get_client_info({fd}))"

        told = own.do("here", question).value

        exists, info = told
        host, port = own._client._socket.getsockname()
        assert exists
        assert (info["remote_ip"], info["remote_port"], info["reactor_id"]) == (host, port, 0)
        assert other.do("here", question).value == told
        assert own.do("do here", question).value == told


def test_a_client_that_left_is_known_to_nobody_and_gets_nothing(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **WORKERS) as server, ExitStack() as stack:
        own, other = desks_at_both(server, stack)
        with Desk(server) as leaving:
            fd = leaving.do("here", "fd").value
        question = f"(server.exists({fd}), server.get_client_info({fd}))"

        wait_until(lambda: own.do("here", question).value == (False, None), "it is gone")

        assert other.do("here", question).value == (False, None)
        assert own.do("do here", question).value == (False, None)
        attempt = f"(server.send({fd}, b'x'), server.close({fd}))"
        assert own.do("here", attempt).value == (False, False)
        assert other.do("here", attempt).value == (False, False)


def test_the_clients_of_a_worker_that_died_are_gone_once_another_took_its_place(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **WORKERS) as server, ExitStack() as stack:
        own, other = desks_at_both(server, stack)
        fd, stays = own.do("here", "fd").value, other.do("here", "fd").value

        server.kill("worker 0")
        question = f"(server.exists({fd}), server.exists({stays}))"

        wait_until(lambda: other.do("here", question).value == (False, True), "forgotten")
        assert other.do("do here", question).value == (False, True)
