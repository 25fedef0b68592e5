"""What one process of all hosts does at a time: by the database's clock, and given up before another one has it."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.campaigns.leased import MARGIN_S, Lease, leased
from app.domain.orders import CensusOrder, Outcome, PrepareOrder
from app.errors import ShardTaken
from app.gateways.log_file.folder import make_folder
from app.gateways.log_file.journal import LogFile
from app.runners import work
from app.runners.work import Context
from app.store import leases, tables
from app.store.clock import LEASE_S
from app.store.database import writing
from app.store.faults import write
from tests.integration.app.campaigns import send, shards_of, trigger
from tests.integration.app.people import crowd, move_in
from tests.waiting import until

WITHIN_S = 20.0
HOLDERS = 6


def end_all(database):
    """As if nobody had shown a sign of life for long."""
    with writing(database) as connection:
        connection.execute(sa.update(tables.leases).values(until_ms=1))


def test_of_many_who_want_it_at_once_one_has_it(database):
    begin = threading.Barrier(HOLDERS)

    def take(holder: int) -> bool:
        begin.wait(WITHIN_S)
        return Lease(database, "scheduler", str(holder)).take()

    with ThreadPoolExecutor(HOLDERS) as threads:
        taken = list(threads.map(take, range(HOLDERS)))

    assert sum(taken) == 1


def test_who_shows_no_life_loses_it_and_who_gives_it_back_need_not_be_waited_for(database):
    one, other = Lease(database, "scheduler", "one"), Lease(database, "scheduler", "other")

    assert (one.take(), one.take(), other.take()) == (True, True, False)
    end_all(database)
    assert (other.take(), one.take(), one.is_ours) == (True, False, False)
    other.give_back()
    assert one.take()


def test_its_holder_stops_by_its_own_clock_before_another_one_can_have_it(sqlite):
    now_s = 1000.0
    lease = Lease(sqlite, "scheduler", "one", clock=lambda: now_s)
    lease.take()

    assert (lease.is_ours, lease.is_due) == (True, False)
    now_s += LEASE_S / 2
    assert (lease.is_ours, lease.is_due) == (True, True)
    now_s += LEASE_S / 2 - MARGIN_S
    assert not lease.is_ours


def test_a_lease_that_somebody_else_has_by_now_is_not_renewed(sqlite):
    lease = Lease(sqlite, "scheduler", "one")
    lease.take()
    end_all(sqlite)
    Lease(sqlite, "scheduler", "other").take()

    lease.renew()

    assert not lease.is_ours


def test_it_is_renewed_by_time_as_long_as_the_work_lasts(sqlite, logs, tmp_path):
    sqlite.update_execution_options(lease_s=6.0)  # far more than a busy machine keeps a thread waiting
    make_folder(logs)
    with leased(sqlite, "census", logs):
        first = until_ms(sqlite)
        until(lambda: until_ms(sqlite) > first, within_s=WITHIN_S, what="it is renewed")
        with pytest.raises(ShardTaken), leased(sqlite, "census", tmp_path):
            pytest.fail("two have it")

    with leased(sqlite, "census", tmp_path):
        pass


@pytest.mark.parametrize("has_folder", [True, False])
def test_who_is_given_the_same_order_again_leaves_the_lease_to_whom_it_is(sqlite, logs, has_folder):
    if has_folder:
        make_folder(logs)
    with leased(sqlite, "prepare 1", logs) as lease:
        with pytest.raises(ShardTaken), leased(sqlite, "prepare 1", logs):
            pytest.fail("two have it")
        lease.renew()

        assert lease.is_ours


def test_who_comes_after_a_killed_one_of_the_same_folder_need_not_wait(sqlite, logs, tmp_path):
    make_folder(logs)

    def be_killed() -> None:
        with leased(sqlite, "census", logs):
            os._exit(9)

    child = multiprocessing.get_context("fork").Process(target=be_killed)
    child.start()
    child.join(WITHIN_S)
    with pytest.raises(ShardTaken), leased(sqlite, "census", tmp_path):
        pytest.fail("the killed one is taken for dead too early")
    with leased(sqlite, "census", logs):
        pass

    assert child.exitcode == 9
    assert [each.name for each in logs.iterdir()] == [".owner"]


def until_ms(database):
    with database.connect() as connection:
        return connection.execute(sa.select(tables.leases.c.until_ms)).scalar_one()


def test_one_host_counts_and_one_prepares(sqlite, logs):
    move_in(sqlite, crowd(3))
    campaign = trigger(sqlite, "a", 10, allow_duplicates=False)
    orders = CensusOrder(), PrepareOrder(campaign.id)
    context = Context(
        sqlite,
        logs,
        slice_s=1,
        should_stop=lambda: False,
        tell=lambda _: None,
        on_rejected=lambda _: None,
        networks={},
        open_patiently=lambda: sqlite,
    )
    for name in ("census", f"prepare {campaign.id}"):
        write(sqlite, lambda connection, name=name: leases.take(connection, name, "elsewhere"))

    taken = [work.perform(each, context).outcome for each in orders]
    end_all(sqlite)
    done = [work.perform(each, context).outcome for each in orders]

    assert taken == [Outcome.TAKEN, Outcome.TAKEN]
    assert done == [Outcome.COMPLETE, Outcome.COMPLETE]


@pytest.mark.usefixtures("small_pages")
def test_a_shard_whose_page_takes_longer_than_its_lease_stays_its_holders(sqlite, logs, monkeypatch):
    sqlite.update_execution_options(lease_s=5.0)  # far more than a busy machine keeps a thread waiting
    move_in(sqlite, crowd(6))
    campaign = trigger(sqlite, "a", 10)
    deliver, held = LogFile.deliver, []

    def slowly(gateway: LogFile, text: bytes) -> int:
        ends_at = time.monotonic() + (0 if held else 6.0)
        while time.monotonic() < ends_at:
            held.append(shards_of(sqlite, campaign)[0].is_held)
            time.sleep(0.02)
        return deliver(gateway, text)

    monkeypatch.setattr(LogFile, "deliver", slowly)

    assert send(sqlite, logs, campaign) is Outcome.COMPLETE
    assert all(held)
