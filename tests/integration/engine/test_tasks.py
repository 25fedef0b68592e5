"""Tasks and their answers, between real processes."""

import random
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import IpcMode, Server, TaskFailed
from engine.worker.scheduler import Assignment, Load, Scheduler
from tests.integration.engine.servers import Running, running, wait_until
from tests.integration.engine.workshop import FRAMES, Desk, workshop

LARGE = random.Random(1).randbytes(10_000_000)
SETTINGS: dict[str, Any] = {"worker_num": 2, "task_worker_num": 4, **FRAMES, "buffer_output_size": 64 * 2**20}


@pytest.fixture(scope="module", params=list(IpcMode), ids=lambda mode: mode.name.lower())
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests that leave it as it was."""
    with running(workshop, tmp_path_factory.mktemp("shop"), **SETTINGS, task_ipc_mode=request.param) as server:
        server.errors_are_fine = True  # tasks fail on purpose
        yield server


targets_are_kept = pytest.mark.parametrize(
    "shop", [IpcMode.SOCKET, IpcMode.QUEUE], indirect=True, ids=["socket", "queue"]
)


@pytest.fixture
def desk(shop: Running) -> Iterator[Desk]:
    with Desk(shop) as desk:
        yield desk


def quiet(server: Running, desk: Desk) -> dict[str, Any]:
    """The numbers at a moment when nothing is under way."""

    def numbers() -> dict[str, Any] | None:
        stats = desk.stats()
        is_quiet = not (stats["tasks_waiting"] or stats["tasks_running"])
        return stats if is_quiet and stats["idle_task_worker_num"] == stats["task_worker_num"] else None

    stats = wait_until(numbers, "nothing under way")
    assert stats is not None
    return stats


@pytest.mark.parametrize(
    "data",
    [b"raw", "text 短信 🎉", {"an": ["object", 7, None]}, b"", "", 0, LARGE, LARGE.hex()[:9_000]],
    ids=["bytes", "str", "object", "no bytes", "no text", "zero", "10 MB", "9 kB of text"],
)
def test_a_task_gets_its_data_and_its_result_comes_back(shop: Running, desk: Desk, data: Any) -> None:
    answer = desk.do("echo", data)

    assert (answer.kind, answer.value, answer.attempt) == ("finish", data, 1)
    wait_until(lambda: not shop.spill_files(), "no file left")


def test_a_large_task_lies_in_a_file_for_us_alone_until_it_is_done(shop: Running, desk: Desk, tmp_path: Path) -> None:
    number = desk.ask("wait for file", str(tmp_path / ("x" * 100) / ".." / "gate") + "/" * 9000)

    (file,) = wait_until(shop.spill_files, "the task's file")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert desk.stats()["spill_files"] == 1

    (tmp_path / ("x" * 100)).mkdir()
    (tmp_path / "gate").mkdir()
    assert desk.answer(number).kind == "finish"
    wait_until(lambda: not shop.spill_files(), "no file left")


def test_a_finish_callback_is_called_instead_of_finish(shop: Running, desk: Desk) -> None:
    answer = desk.do("with callback", ("echo", "hello"))

    assert (answer.kind, answer.value[2]) == ("callback", "hello")
    assert [answer.task_id] not in shop.notes("finish")


def test_an_error_callback_is_called_instead_of_task_error(shop: Running, desk: Desk) -> None:
    answer = desk.do("with callback", ("raise", "no such customer"))

    assert (answer.kind, str(answer.value)) == ("error callback", "ValueError: no such customer")
    assert [answer.task_id, "TaskFailed"] not in shop.notes("task_error")


@targets_are_kept
def test_a_named_task_worker_gets_the_task(desk: Desk) -> None:
    numbers = [(target, desk.ask("echo", "x", target)) for target in (0, 3, 1, 2, 3, 0)]

    assert [desk.answer(number).worker_id for _, number in numbers] == [2 + target for target, _ in numbers]


@pytest.mark.parametrize("target", [-2, 4, 1000])
def test_a_task_worker_that_is_not_there_is_refused(desk: Desk, target: int) -> None:
    answer = desk.do("echo", "x", target)

    assert answer.kind == "refused"
    assert (
        answer.value == f"UnknownWorker: worker id {target} cannot be addressed, task workers are 0 to 3, or -1 for any"
    )


# ── failures ────────────────────────────────────────────────────────────────────────────────────


def test_an_exception_reaches_the_submitter_with_type_text_and_traceback(shop: Running, desk: Desk) -> None:
    answer = desk.do("raise", "no such customer")

    error = answer.value
    assert isinstance(error, TaskFailed)
    assert (answer.kind, error.type_name, error.text) == ("task_error", "ValueError", "no such customer")
    assert "in do_raise" in error.traceback


def test_an_exception_is_logged_once_with_its_traceback(shop: Running, desk: Desk) -> None:
    task_id = desk.do("raise", "say it once").task_id

    lines = [line for line in shop.log() if line.get("task_id") == task_id]

    assert [line["level"] for line in lines] == ["ERROR"]
    assert "say it once" in lines[0]["trace"]


@pytest.mark.parametrize(
    ("verb", "type_name"),
    [
        ("raise unpicklable", "UnpicklableError"),
        ("return unpicklable", "TypeError"),
        ("return unreadable", "ValueError"),
    ],
)
def test_what_cannot_travel_comes_back_as_a_task_error(desk: Desk, verb: str, type_name: str) -> None:
    answer = desk.do(verb)

    assert (answer.kind, answer.value.type_name) == ("task_error", type_name)


def test_data_that_cannot_be_pickled_is_refused_where_it_is_submitted(shop: Running, desk: Desk) -> None:
    before = quiet(shop, desk)

    refused = desk.do("here", "str(_raised(lambda: server.task(lambda: 0)))")

    assert "pickle" in refused.value
    assert quiet(shop, desk)["tasks_submitted"] == before["tasks_submitted"]


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("event worker", "server.finish('x')"),
        ("task worker", "server.task('x')"),
        ("task worker", "server.connections"),
    ],
)
def test_a_call_that_makes_no_sense_there_says_so(desk: Desk, where: str, call: str) -> None:
    expression = f"type(_raised(lambda: {call})).__name__"

    answer = desk.do("here", expression) if where == "event worker" else desk.do("do here", expression)

    assert answer.value == "UsageError"


# ── ids, order, shares ──────────────────────────────────────────────────────────────────────────


def test_task_ids_rise_from_zero_and_are_unique_over_event_workers(tmp_path: Path) -> None:
    with running(workshop, tmp_path, **SETTINGS) as server:
        desks = [Desk(server) for _ in range(8)]
        asked = [(desk, desk.ask("echo", "x")) for _ in range(50) for desk in desks]
        answers = [(desk, desk.answer(number).task_id) for desk, number in asked]

        ids = [task_id for _, task_id in answers]
        assert (min(ids), len(set(ids))) == (0, 400)
        for each in desks:
            mine = [task_id for desk, task_id in answers if desk is each]
            assert mine == sorted(mine)
            each.close()


def test_four_long_tasks_run_on_four_workers_at_once(shop: Running, desk: Desk, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    begun = len(shop.notes("task"))
    numbers = [desk.ask("wait for file", str(gate)) for _ in range(4)]

    shop.wait_for_notes("task", begun + 4)
    gate.touch()

    assert len({desk.answer(number).worker_id for number in numbers}) == 4


def slow_to_decide(server: Server) -> None:
    """Takes its time between looking who is idle and saying who got the task."""
    workshop(server)
    decide = Scheduler.assign

    def assign(self: Scheduler, loads: Sequence[Load], *, is_late: bool = False) -> list[Assignment]:
        given = decide(self, loads, is_late=is_late)
        if given:
            time.sleep(0.2)
        return given

    Scheduler.assign = assign  # type: ignore[method-assign]


def test_two_event_workers_do_not_pick_the_same_idle_task_worker(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(slow_to_decide, tmp_path / "server", **SETTINGS | {"task_worker_num": 2}) as server:
        desks = {desk.do("here", "server.worker_id").value: desk for desk in [Desk(server)]}
        while len(desks) < 2:
            desk = Desk(server)
            desks[desk.do("here", "server.worker_id").value] = desk

        numbers = [(desk, desk.ask("wait for file", str(gate))) for desk in desks.values()]

        server.wait_for_notes("task", 2)
        gate.touch()
        assert {desk.answer(number).worker_id for desk, number in numbers} == {2, 3}


def test_a_quick_task_does_not_wait_behind_a_long_one(shop: Running, desk: Desk, tmp_path: Path) -> None:
    for _ in range(100):
        desk.do("echo", "so that everyone is known as quick")
    gate = tmp_path / "gate"
    long_ones = [desk.ask("wait for file", str(gate)) for _ in range(3)]
    wait_until(lambda: desk.stats()["idle_task_worker_num"] == 1, "three at work")

    answers = [desk.do("echo", number).value for number in range(20)]

    assert answers == list(range(20))
    gate.touch()
    assert [desk.answer(number).kind for number in long_ones] == ["finish"] * 3


@targets_are_kept
def test_the_tasks_of_one_target_run_in_the_order_they_were_submitted(shop: Running, desk: Desk) -> None:
    numbers = [desk.ask("echo", number, 1) for number in range(300)]

    ids = [desk.answer(number).task_id for number in numbers]

    done = [task_id for task_id, *_ in shop.notes("task") if task_id in set(ids)]
    assert done == ids == sorted(ids)


# ── what the server says of itself ──────────────────────────────────────────────────────────────


@targets_are_kept
def test_every_process_knows_who_it_is(shop: Running, desk: Desk) -> None:
    expression = "(server.worker_id, server.worker_pid, server.taskworker, server.master_pid)"
    pids = shop.processes()

    event_worker = desk.do("here", expression).value
    task_workers = [desk.do("do here", expression, target).value for target in range(4)]

    assert event_worker == (event_worker[0], pids[f"worker {event_worker[0]}"], False, shop.process.pid)
    assert task_workers == [(2 + each, pids[f"task worker {each}"], True, shop.process.pid) for each in range(4)]


def test_the_process_titles_tell_who_is_who(shop: Running) -> None:
    titles = {"manager", "worker 0", "worker 1", "task worker 0", "task worker 1", "task worker 2", "task worker 3"}

    assert set(shop.processes()) == titles
    assert shop.processes()["manager"] == shop.process.pid


def test_the_numbers_are_the_same_from_every_process_and_add_up(shop: Running, desk: Desk) -> None:
    for verb in ("echo", "raise", "echo"):
        desk.do(verb, "x")
    expression = "[getattr(server.stats(), n) for n in ('tasks_submitted', 'accept_count', 'tasks_failed')]"
    stats = quiet(shop, desk)
    here = desk.do("here", expression).value

    there = [desk.do("do here", expression, target).value for target in range(4)]

    assert [[submitted - more, *rest] for more, (submitted, *rest) in enumerate(there, 1)] == [here] * 4
    assert stats["tasks_submitted"] == stats["tasks_done"] + stats["tasks_failed"] + stats["tasks_lost"]
    assert stats["tasks_done"] >= 2
    assert stats["tasks_failed"] >= 1
    assert stats["connection_num"] >= 1
    assert (stats["worker_num"], stats["task_worker_num"], stats["spill_files"]) == (2, 4, 0)


def test_each_event_worker_has_a_row_and_rates_and_bytes_are_the_same_from_every_process(
    shop: Running, desk: Desk
) -> None:
    before = quiet(shop, desk)
    desk.do("echo", "x" * 1000)
    wait_until(lambda: desk.stats()["accepts_per_s"] > 0 and desk.stats()["tasks_done_per_s"] > 0, "the rates")
    fields = "('accepts_per_s', 'tasks_done_per_s', 'bytes_in')"
    expression = f"(server.worker_id, [type(getattr(server.stats(), n)).__name__ for n in {fields}], server.stats())"

    worker_id, kinds, stats = desk.do("here", expression).value
    there = desk.do("do here", expression).value[2]

    assert kinds == ["float", "float", "int"]
    assert there.bytes_in > stats.bytes_in > before["bytes_in"] + 1000
    assert there.bytes_out > stats.bytes_out > before["bytes_out"] + 1000
    assert [each.worker_id for each in stats.event_workers] == [0, 1]
    assert [each.pid for each in stats.event_workers] == [shop.pid_of("worker 0"), shop.pid_of("worker 1")]
    ours = stats.event_workers[worker_id]
    assert (ours.connections >= 1, ours.requests >= 2, ours.tasks_waiting, ours.queue_bytes) == (True, True, 0, 0)
    for name in ("bytes_in", "bytes_out", "queue_bytes"):
        assert sum(getattr(each, name) for each in stats.event_workers) == getattr(stats, name)
    assert sum(each.connections for each in stats.event_workers) == stats.connection_num
    assert sum(each.tasks_under_way for each in stats.event_workers) == stats.tasks_waiting + stats.tasks_running


@targets_are_kept
def test_the_longest_wait_of_a_task_can_be_seen(shop: Running, desk: Desk, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    quiet(shop, desk)
    assert desk.stats()["oldest_waiting_s"] is None

    # each in one for so long that nothing is sent ahead to it: who is known as quick gets several
    numbers = [desk.ask("wait for file", str(gate), target) for target in range(4)]
    wait_until(lambda: all((each["since_s"] or 0) > 0.01 for each in desk.stats()["task_workers"]), "four are at work")
    numbers += [desk.ask("wait for file", str(gate)) for _ in range(6)]
    wait_until(lambda: sum(each["tasks_waiting"] for each in desk.stats()["event_workers"]) == 6, "six wait")
    waited_s = wait_until(lambda: desk.stats()["oldest_waiting_s"], "a beat while they wait")
    stats = desk.stats()
    gate.touch()

    assert 0 < waited_s < 60
    assert stats["oldest_waiting_s"] >= waited_s
    assert sum(each["tasks_under_way"] for each in stats["event_workers"]) == 4
    assert [desk.answer(number).kind for number in numbers] == ["finish"] * 10
    wait_until(lambda: desk.stats()["oldest_waiting_s"] is None, "nothing waits")


@targets_are_kept
def test_a_running_task_can_be_seen(shop: Running, desk: Desk, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    quiet(shop, desk)
    number = desk.ask("wait for file", str(gate), 2)
    wait_until(lambda: desk.stats()["tasks_running"] == 1, "the task running")

    stats = desk.stats()
    (busy,) = [each for each in stats["task_workers"] if each["state"] == "busy"]
    gate.touch()

    assert busy["task_id"] == desk.answer(number).task_id
    assert (busy["worker_id"], busy["pid"]) == (4, shop.pid_of("task worker 2"))
    assert 0 < busy["since_s"] < 60
    assert busy["rss"] > 1_000_000


# ── from task workers to clients ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [5, 500_000])
def test_a_task_worker_sends_to_a_connection_itself(shop: Running, desk: Desk, size: int) -> None:
    fd = desk.do("here", "fd").value

    desk.ask("do here", f"[answer_raw(server, {fd}, 'y' * {size}), server.send({fd + 1000}, 'z' * 50_000)]")

    assert desk.answer(-1).value == "y" * size
    quiet(shop, desk)
    wait_until(lambda: not shop.spill_files(), "no file left")


def test_a_task_worker_closes_a_connection(desk: Desk) -> None:
    fd = desk.do("here", "fd").value

    desk.ask("do here", f"server.close({fd})")

    with pytest.raises(ConnectionError):
        desk.answer(-1)


def test_what_travelled_with_a_task_that_turns_out_long_is_done_elsewhere(
    shop: Running, desk: Desk, tmp_path: Path
) -> None:
    for _ in range(100):
        desk.do("echo", "so that everyone is known as quick, and gets many at a time")
    gate = tmp_path / "gate"

    long_one = desk.ask("wait for file", str(gate))
    quick_ones = [desk.ask("echo", number) for number in range(200)]

    assert [desk.answer(number).value for number in quick_ones] == list(range(200))
    gate.touch()
    assert desk.answer(long_one).kind == "finish"


@targets_are_kept
def test_what_is_for_one_target_waits_for_it_and_what_was_done_before_is_answered(
    shop: Running, desk: Desk, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    for _ in range(100):
        desk.do("echo", "quick", 0)

    before = [desk.ask("echo", number, 0) for number in range(3)]
    long_one = desk.ask("wait for file", str(gate), 0)
    behind = desk.ask("echo", "behind", 0)

    assert [desk.answer(number).value for number in before] == [0, 1, 2]
    gate.touch()
    assert desk.answer(long_one).kind == "finish"
    answer = desk.answer(behind)
    assert (answer.value, answer.worker_id) == ("behind", desk.do("here", "server.settings.worker_num").value)


@pytest.mark.parametrize("shop", [IpcMode.PREEMPTIVE], indirect=True, ids=["preemptive"])
def test_in_preemptive_mode_a_named_target_is_ignored_and_the_task_never_stuck(
    shop: Running, desk: Desk, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    quiet(shop, desk)  # whoever did the last task before may look busy for a moment
    stuck = desk.ask("wait for file", str(gate), 0)
    (busy,) = wait_until(lambda: [w for w in desk.stats()["task_workers"] if w["state"] == "busy"], "one is busy")

    answers = [desk.do("echo", number, busy["worker_id"] - 2) for number in range(8)]

    assert [answer.value for answer in answers] == list(range(8))
    assert busy["worker_id"] not in {answer.worker_id for answer in answers}
    gate.touch()
    assert desk.answer(stuck).kind == "finish"
