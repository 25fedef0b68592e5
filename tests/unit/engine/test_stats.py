"""engine/stats.py: the board that all processes share."""

import os
import signal
import threading
import time

import pytest

from engine.stats import Board, Cell, State

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
    assert busy.since_s == pytest.approx(2, abs=1)
    assert busy.rss > 1_000_000
    assert (away.worker_id, away.task_id, away.since_s, away.rss) == (2, None, None, 0)


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
