"""engine/ipc/board.py: the board that all processes share."""

import os
import signal
import threading
import time

import pytest

from engine.ipc.board import Board, Cell, State

TASK_WORKER_0 = 2
"""The place of task worker 0, in its first seat, behind one event worker with its two."""


def test_a_new_board_counts_nothing() -> None:
    stats = Board(worker_num=2, task_worker_num=3).snapshot(spill_files=0)

    assert (stats.worker_num, stats.task_worker_num, stats.tasks_submitted, stats.connection_num) == (2, 3, 0, 0)
    assert stats.start_time == pytest.approx(time.time(), abs=60)
    assert [each.state for each in stats.task_workers] == ["away"] * 3


def test_what_one_process_writes_all_others_see() -> None:
    board = Board(1, 1)
    pid = os.fork()
    if pid == 0:
        board.add(0, Cell.SUBMITTED, 7)
        board.put(TASK_WORKER_0, Cell.STATE, State.IDLE)
        os._exit(0)
    os.waitpid(pid, 0)

    stats = board.snapshot(0)

    assert (stats.tasks_submitted, stats.idle_task_worker_num) == (7, 1)


def test_adding_gives_what_was_there_before() -> None:
    board = Board(1, 0)

    assert [board.add(0, Cell.SESSIONS), board.add(0, Cell.SESSIONS), board.get(0, Cell.SESSIONS)] == [0, 1, 2]


def test_rows_do_not_touch_each_other() -> None:
    board = Board(worker_num=2, task_worker_num=2)
    for place in range(8):
        for cell in Cell:
            board.put(place, cell, 1000 * place + cell)
    for worker_id in range(4):
        board.note_current(worker_id, worker_id % 2)
    board.note_stopping()

    assert [board.get(place, cell) for place in range(8) for cell in Cell] == [
        1000 * place + cell for place in range(8) for cell in Cell
    ]
    assert [board.current(worker_id) for worker_id in range(4)] == [0, 3, 4, 7]
    assert board.is_stopping


def test_the_numbers_of_all_event_workers_are_summed_and_add_up() -> None:
    board = Board(worker_num=2, task_worker_num=2)
    places = [board.place(0, seat=0), board.place(1, seat=1)]
    for row, (submitted, done, failed, lost) in zip(places, [(10, 3, 1, 0), (20, 8, 0, 2)], strict=True):
        board.put(row, Cell.SUBMITTED, submitted)
        board.put(row, Cell.DONE, done)
        board.put(row, Cell.FAILED, failed)
        board.put(row, Cell.LOST, lost)
        board.put(row, Cell.ACCEPTED, 5)
        board.put(row, Cell.CLOSED, 2)
    board.put(4, Cell.STATE, State.BUSY)
    board.put(5, Cell.STATE, State.IDLE)
    board.put(4, Cell.DONE, 99)  # a task worker's own count is no event worker's
    board.put(5, Cell.REDELIVERED, 4)

    stats = board.snapshot(spill_files=6)

    assert (stats.tasks_submitted, stats.tasks_done, stats.tasks_failed, stats.tasks_lost) == (30, 11, 1, 2)
    assert (stats.tasks_running, stats.tasks_waiting) == (1, 15)
    assert (stats.accept_count, stats.close_count, stats.connection_num) == (10, 4, 6)
    assert (stats.idle_task_worker_num, stats.tasks_redelivered, stats.spill_files) == (1, 4, 6)


def test_every_worker_id_has_two_places_of_its_own() -> None:
    board = Board(worker_num=2, task_worker_num=3)
    seats = [(worker_id, seat) for worker_id in range(5) for seat in (0, 1)]
    places = [board.place(*each) for each in seats]

    assert sorted(places) == list(range(10))
    assert {board.place(*each) for each in seats if each[0] < 2} == set(board.event_places)
    assert [board.worker_id(place) for place in places] == [worker_id for worker_id, _ in seats]
    assert [board.other(place) for place in places] == [board.place(worker_id, 1 - seat) for worker_id, seat in seats]


def test_numbers_of_both_seats_count_and_the_current_one_tells_its_state() -> None:
    board = Board(worker_num=1, task_worker_num=1)
    for seat in (0, 1):
        board.put(board.place(0, seat), Cell.SUBMITTED, 5)
        board.put(board.place(1, seat), Cell.DONE, 2)
    board.put(board.place(1, 0), Cell.STATE, State.BUSY)
    board.put(board.place(1, 1), Cell.STATE, State.IDLE)
    board.note_current(1, 1)

    stats = board.snapshot(0)

    assert (stats.tasks_submitted, stats.tasks_running, stats.idle_task_worker_num) == (10, 1, 1)
    assert (stats.task_workers[0].state, stats.task_workers[0].done) == ("idle", 4)


def test_one_event_worker_at_a_time_gives_out_tasks() -> None:
    board = Board(worker_num=2, task_worker_num=1)
    assert board.try_lock()

    pid = os.fork()
    if pid == 0:
        os._exit(int(board.try_lock()))
    assert os.waitpid(pid, 0)[1] == 0, "the other one must not have it"

    board.unlock()
    pid = os.fork()
    if pid == 0:
        os._exit(int(board.try_lock()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert board.try_lock(), "the other one died, and its lock with it"


def test_a_busy_task_worker_tells_its_task_and_since_when() -> None:
    board = Board(1, 2)
    board.put(2, Cell.PID, os.getpid())
    board.put(2, Cell.STATE, State.BUSY)
    board.put(2, Cell.TASK_ID, 42)
    board.put(2, Cell.SINCE_NS, time.monotonic_ns() - 2_000_000_000)

    busy, away = board.snapshot(0).task_workers

    assert (busy.worker_id, busy.pid, busy.state, busy.task_id) == (1, os.getpid(), "busy", 42)
    assert 2 <= busy.since_s < 60
    assert busy.rss > 1_000_000
    assert (away.worker_id, away.task_id, away.since_s, away.rss) == (2, None, None, 0)


def test_an_event_worker_has_a_row_that_counts_both_its_places() -> None:
    board = Board(worker_num=2, task_worker_num=1)
    counts = {
        **{Cell.ACCEPTED: 9, Cell.CLOSED: 2, Cell.REQUESTS: 40, Cell.BYTES_IN: 500, Cell.BYTES_OUT: 700},
        **{Cell.SUBMITTED: 30, Cell.DONE: 10, Cell.FAILED: 4, Cell.LOST: 1, Cell.WAITING: 6, Cell.QUEUE_BYTES: 900},
    }
    for seat, pid in ((0, 111), (1, 222)):
        place = board.place(1, seat)
        board.put(place, Cell.PID, pid)
        for cell, count in counts.items():
            board.put(place, cell, count)
    board.note_current(1, 1)

    none, both = board.snapshot(0).event_workers

    assert (none.worker_id, none.pid, none.connections, none.tasks_under_way) == (0, 0, 0, 0)
    assert (both.worker_id, both.pid) == (1, 222)
    assert (both.connections, both.requests, both.bytes_in, both.bytes_out) == (14, 80, 1000, 1400)
    assert (both.tasks_waiting, both.tasks_under_way, both.queue_bytes) == (12, 18, 1800)


def test_bytes_are_those_of_all_event_workers() -> None:
    board = Board(worker_num=2, task_worker_num=0)
    for place in board.event_places:
        board.put(place, Cell.BYTES_IN, 10)
        board.put(place, Cell.BYTES_OUT, 3)

    stats = board.snapshot(0)

    assert (stats.bytes_in, stats.bytes_out) == (40, 12)


def test_a_rate_ends_with_its_process() -> None:
    board = Board(worker_num=2, task_worker_num=0)
    for place, pid in ((0, 111), (1, 0)):
        board.put(place, Cell.PID, pid)
        board.put(place, Cell.ACCEPT_RATE, 2500)
        board.put(place, Cell.DONE_RATE, 500)

    stats = board.snapshot(0)

    assert (stats.accepts_per_s, stats.tasks_done_per_s) == (2.5, 0.5)


def test_the_oldest_waiting_task_is_that_of_all_event_workers() -> None:
    board = Board(worker_num=3, task_worker_num=1)
    assert board.snapshot(0).oldest_waiting_s is None

    board.put(0, Cell.WAITING, 1)
    assert board.snapshot(0).oldest_waiting_s == 0, "nobody looked since when"

    for place, seconds in ((0, 20), (1, 50), (2, 90)):
        board.put(place, Cell.OLDEST_NS, time.monotonic_ns() - seconds * 10**9)
    board.put(1, Cell.WAITING, 7)  # and those of the third are sent meanwhile
    assert board.snapshot(0).oldest_waiting_s == pytest.approx(50, abs=5)


# ── who takes what a dead process left ──────────────────────────────────────────────────────────


def test_one_of_a_worker_ids_two_seats_waits_for_the_other_one_and_not_for_one_that_died() -> None:
    board = Board(worker_num=1, task_worker_num=2)
    is_held, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with board.seats_locked(board.place(1, seat=0)):
                os.write(tells, b"!")
                signal.pause()
        finally:
            os._exit(1)  # nothing of the test runs twice
    assert os.read(is_held, 1) == b"!"
    came_in = threading.Event()

    def enter() -> None:
        with board.seats_locked(board.place(1, seat=1)):
            came_in.set()

    with board.seats_locked(board.place(2, seat=0)):  # another worker id's, which nobody has
        assert board.try_lock()
    waiting = threading.Thread(target=enter, daemon=True)
    waiting.start()
    assert not came_in.wait(0.05)

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    assert came_in.wait(10)
    waiting.join(10)
    os.close(is_held)
    os.close(tells)
