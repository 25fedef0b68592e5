"""The exploration notices each guard that is taken away: what it finds nothing in is not just out of its sight."""

import inspect
from types import ModuleType

import pytest

from app.domain import delivery
from app.store import ledger, receipts, retries, shards
from tests.model import explorer
from tests.model.exploring import explore
from tests.model.test_protocol import NOTHING, ONE, ONES, TWO
from tests.model.world import Budget

pytestmark = pytest.mark.timeout(900)
GUARDS: dict[str, tuple[ModuleType, str, str, dict[str, int]]] = {
    "the epoch of an intent and a record": (
        ledger,
        "shards.c.epoch == self.epoch",
        "shards.c.epoch >= 0",
        {"expiries": 1},
    ),
    "that the epoch is raised": (ledger, "epoch=shards.c.epoch + 1", "epoch=shards.c.epoch + 0", {"expiries": 1}),
    "where an intent begins": (ledger, "shards.c.intended_id == chunk.after_id,", "", {"repeats": 1}),
    "the lease of an intent": (
        ledger,
        "            shards.c.lease_until_ms >= now_ms(connection),\n",
        "",
        {"expiries": 1},
    ),
    "that the campaign of an intent runs": (
        ledger,
        "shards.c.lease_until_ms >= now_ms(connection),\n            runs(is_open()),",
        "shards.c.lease_until_ms >= now_ms(connection),",
        {"pauses": 1},
    ),
    "where a record begins": (ledger, "shards.c.last_id == after_id, ", "", {"repeats": 1}),
    "that what is in doubt is not sent again": (
        ledger,
        "_take_up(connection, shard, doubt)",
        "_take_up(connection, shard, Delivery.RETRY)",
        {"kills": 1, "expiries": 1},
    ),
    "that what was intended is taken up": (ledger, "    _take_up(connection, shard, doubt)\n", "", {"expiries": 1}),
    "whether an answer may follow": (
        ledger,
        "not may_follow_answer(row.state, each.state)",
        "False",
        {"timeouts": 1, "receipts": 1},
    ),
    "whether a receipt may follow": (
        receipts,
        "not may_follow_receipt(before, after)",
        "False",
        {"receipts": 2},
    ),
    "to which attempt an answer is": (ledger, "row.epoch != each.epoch or not", "not", {"expiries": 1, "retries": 1}),
    "that a shard with somebody to be tried again is open": (
        retries,
        "state=ShardState.OPEN, ",
        "",
        {"rejections": 1, "retries": 1},
    ),
    "that a shard with somebody to be tried again is not finished": (
        shards,
        "            shards.c.submitting + shards.c.retry == 0,\n",
        "",
        {"rejections": 1, "retries": 1},
    ),
    "that only those who are in the state are tried again": (
        retries,
        "row.state is state and ",
        "",
        {"rejections": 1, "retries": 1},
    ),
    "that a task may yet hear of what it submitted": (
        retries,
        " and held.get(row.shard) != row.epoch",
        "",
        {"timeouts": 1, "retries": 1},
    ),
    "that a task which showed no life has lost the shard": (
        retries,
        "state=ShardState.OPEN, due_ms=0, epoch=epoch",
        "state=ShardState.OPEN, due_ms=0",
        {"timeouts": 1, "retries": 1, "expiries": 1, "claims": 1},
    ),
    "that the id of a former attempt goes": (
        retries,
        ", provider_id=None",
        "",
        {"receipts": 2, "failures": 1, "retries": 1},
    ),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """See test_protocol."""
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(receipts, "KEPT_FOR", receipts.KEPT_FOR * 10_000)


@pytest.mark.parametrize("name", GUARDS)
def test_it_is_noticed_when_this_guard_is_taken_away(name, monkeypatch):
    module, guard, without, rare = GUARDS[name]
    source = inspect.getsource(module)
    assert guard in source, "the guard is written otherwise now: write it here as it is"
    before = dict(vars(module))
    try:
        exec(compile(source.replace(guard, without), module.__file__ or "", "exec"), vars(module))
        monkeypatch.setattr(explorer, "Hold", ledger.Hold)  # its class is made anew, too
        with pytest.raises(AssertionError, match="after: "):
            for chunks in (ONE, TWO, ONES):
                explore(chunks, Budget(**(NOTHING | rare)))
    finally:
        vars(module).update(before)
