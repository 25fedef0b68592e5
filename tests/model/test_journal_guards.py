"""The exploration of logs notices each guard that is taken away."""

import inspect
from types import ModuleType

import pytest

from app.store import log_parts, shards
from tests.model.journal import Budget
from tests.model.test_journal import explore

pytestmark = pytest.mark.timeout(900)
SILENT = (2, Budget(claims=3, kills=0, expiries=1))
TO_AND_FRO = (2, Budget(claims=4, kills=0, expiries=2))
KILLED = (2, Budget(claims=4, kills=1, expiries=1))
GUARDS: dict[str, tuple[ModuleType, str, str, tuple[int, Budget]]] = {
    "whose shard a checkpoint is of": (
        shards,
        "        shards.c.owner == hold.owner,\n        shards.c.epoch == hold.epoch,\n",
        "",
        SILENT,
    ),
    "that a stretch ends where the record stands": (
        log_parts,
        "            _close(connection, shard, parts[-1])\n",
        "            pass\n",
        SILENT,
    ),
    "that a folder which lost a shard has something to cut": (
        log_parts,
        "is_open=False), to_cut=True)",
        "is_open=False))",
        KILLED,
    ),
    "that a stretch begins behind the record": (
        log_parts,
        "shard.last_id + 1, end_of",
        "shard.last_id, end_of",
        SILENT,
    ),
    "that a stretch begins behind the former one of its folder": (
        log_parts,
        "end_of(parts, folder)\n        its_row",
        "0\n        its_row",
        TO_AND_FRO,
    ),
    "that the shard's row goes by the log that it is in now": (
        log_parts,
        "        connection.execute(shards_table.update().where(its_row).values(log_bytes=position))\n",
        "",
        SILENT,
    ),
    "that a campaign which was stopped is recorded no further": (
        shards,
        "shards.update().where(is_ours, runs())",
        "shards.update().where(is_ours)",
        (2, Budget(claims=2, kills=1, expiries=0, cancels=1)),
    ),
}


@pytest.mark.parametrize("name", GUARDS)
def test_it_is_noticed_when_this_guard_is_taken_away(name, monkeypatch):
    module, guard, without, world = GUARDS[name]
    source = inspect.getsource(module)
    assert guard in source, "the guard is written otherwise now: write it here as it is"
    before = dict(vars(module))
    try:
        exec(compile(source.replace(guard, without), module.__file__ or "", "exec"), vars(module))
        with pytest.raises(AssertionError, match="after: "):
            explore(*world)
    finally:
        vars(module).update(before)
