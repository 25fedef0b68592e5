"""engine/ipc/conn_table.py: every connection is found, and no other, whoever wrote it."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ipc.conn_table import ConnTable


def add(table: ConnTable, fd: int, owner: int = 0, peer: tuple[str, int] = ("192.0.2.7", 4711)) -> None:
    table.add(fd, owner=owner, reactor_id=owner + 10, connected_at=1.5, peer=peer)


def test_what_was_entered_is_told() -> None:
    table = ConnTable(10)

    add(table, 2**40 + 1, owner=3)

    assert table.info(2**40 + 1) == {
        "remote_ip": "192.0.2.7",
        "remote_port": 4711,
        "reactor_id": 13,
        "connect_time": 1.5,
    }


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("2001:db8::7", "2001:db8::7"),
        ("::1", "::1"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
    ],
)
def test_addresses_of_every_kind_come_back(host: str, told: str) -> None:
    table = ConnTable(10)

    add(table, 1, peer=(host, 65_535))

    info = table.info(1)
    assert info is not None
    assert (info["remote_ip"], info["remote_port"]) == (told, 65_535)


@pytest.mark.parametrize("fd", [0, -1, 2, 2**64, 2**64 + 1, 2**70])
def test_what_was_never_entered_is_not_there(fd: int) -> None:
    table = ConnTable(10)
    add(table, 1)

    assert fd not in table
    assert table.info(fd) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=200))
def test_it_holds_what_a_set_would(steps: list[tuple[bool, int]]) -> None:
    table, expected = ConnTable(60), set()

    for is_added, fd in steps:
        if is_added and fd not in expected:
            add(table, fd)
            expected.add(fd)
        elif not is_added:
            table.remove(fd)
            expected.discard(fd)

        assert {each for each in range(1, 61) if each in table} == expected


def test_as_many_as_max_conn_fit_for_ever() -> None:
    table = ConnTable(100)

    for fd in range(1, 20_001):
        if fd > 100:
            table.remove(fd - 100)
        add(table, fd)

    assert [fd for fd in range(1, 20_001) if fd in table] == list(range(19_901, 20_001))


def test_a_look_takes_a_few_steps_also_among_ten_thousand_that_stay_for_ever() -> None:
    table = ConnTable(10_000)
    for fd in range(1, 9_001):
        add(table, fd)
    for fd in range(9_001, 60_000):
        add(table, fd)
        if fd > 9_900:
            table.remove(fd - 900)

    assert table._cells[table._reach_at] < 200


def test_an_owner_that_died_is_forgotten_and_the_others_stay() -> None:
    table = ConnTable(100)
    for fd in range(1, 61):
        add(table, fd, owner=fd % 3)

    table.forget(1)

    assert [fd for fd in range(1, 61) if fd in table] == [fd for fd in range(1, 61) if fd % 3 != 1]


def test_processes_that_write_at_once_lose_nothing_and_all_see_it() -> None:
    table = ConnTable(4000)
    pids = []
    for owner in range(4):
        if (pid := os.fork()) == 0:
            for fd in range(owner + 1, 4001, 4):
                add(table, fd, owner)
            for fd in range(owner + 1, 4001, 8):
                table.remove(fd)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0

    assert [fd for fd in range(1, 4001) if fd in table] == [fd for fd in range(1, 4001) if (fd - 1) % 8 >= 4]


def test_one_that_died_in_the_middle_of_an_entry_holds_nobody_up() -> None:
    table = ConnTable(10)
    if (pid := os.fork()) == 0:
        table._free_slot = lambda fd: os._exit(0)  # type: ignore[method-assign, assignment]
        add(table, 1)
    os.waitpid(pid, 0)

    began = time.monotonic()
    add(table, 2)

    assert 2 in table
    assert time.monotonic() - began < 5


def test_the_largest_table_costs_what_is_used_of_it() -> None:
    table = ConnTable(2**20)

    add(table, 1)

    assert 1 in table
    assert os.fstat(table._file.fileno()).st_blocks * 512 < 2**16
