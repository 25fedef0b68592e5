"""engine/ipc/counter.py: a number is drawn once, whoever draws."""

import os
from pathlib import Path

from engine.ipc.counter import SharedCounter


def test_it_counts_up_from_zero() -> None:
    counter = SharedCounter()

    assert [counter.draw(1) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_two_counters_know_nothing_of_each_other() -> None:
    first, second = SharedCounter(), SharedCounter()
    first.draw(1)

    assert second.draw(1) == 0


def test_forked_processes_never_draw_the_same_number(tmp_path: Path) -> None:
    counter = SharedCounter()
    processes, draws = 4, 5000
    read_end, write_end = os.pipe()  # held shut until all are there, so that they draw at the same time
    pids = []
    for each in range(processes):
        pids.append(os.fork())
        if pids[-1] == 0:
            try:
                os.close(write_end)
                os.read(read_end, 1)
                drawn = [counter.draw(1) for _ in range(draws)]
                (tmp_path / str(each)).write_text(" ".join(map(str, drawn)))
            finally:
                os._exit(0)
    os.close(read_end)
    os.close(write_end)
    for pid in pids:
        os.waitpid(pid, 0)

    lists = [list(map(int, (tmp_path / str(each)).read_text().split())) for each in range(processes)]

    assert sorted(number for drawn in lists for number in drawn) == list(range(processes * draws))
    assert all(drawn == sorted(drawn) for drawn in lists)
    assert counter.draw(1) == processes * draws


def test_a_block_is_for_who_drew_it_alone() -> None:
    counter = SharedCounter(7)

    assert [counter.draw(10), counter.draw(1), counter.upcoming()] == [7, 17, 18]
