"""What the doctor makes of a database's promises: kept over a power cut, and by a replica that is promoted."""

import pytest

from app.doctor.durability import Server, judge
from app.doctor.finding import Verdict
from tests.words import words

KEEPS = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1", "log_bin": "ON"}


def semi_sync(kind: str = "source", **changes: str) -> dict[str, str]:
    values = {"enabled": "ON", "timeout": "4294967295", "wait_point": "AFTER_SYNC"} | changes
    return {f"rpl_semi_sync_{kind}_{end}": value for end, value in values.items()}


def status(kind: str = "source", clients: int = 1, waits: str = "ON") -> dict[str, str]:
    return {f"rpl_semi_sync_{kind}_clients": str(clients), f"rpl_semi_sync_{kind}_status": waits}


def test_a_server_that_is_alone_and_flushes_keeps_what_it_says():
    (finding,) = judge(Server(KEEPS, {}, 0))

    assert (finding.check, finding.verdict) == ("durability", Verdict.OK)


@pytest.mark.parametrize("name", ["innodb_flush_log_at_trx_commit", "sync_binlog"])
def test_a_server_that_flushes_now_and_then_is_warned_of(name):
    (finding,) = judge(Server(KEEPS | {name: "0"}, {}, 0))

    assert finding.verdict is Verdict.WARNING
    assert words(finding.found).startswith(f"{name} is 0: ")
    assert finding.advice and words(finding.advice).startswith(f"set {name} to 1, ")


def test_a_binary_log_that_is_off_need_not_be_flushed():
    (finding,) = judge(Server(KEEPS | {"log_bin": "OFF", "sync_binlog": "0"}, {}, 0))

    assert finding.verdict is Verdict.OK


@pytest.mark.parametrize("kind", ["source", "master"])
def test_replicas_that_are_waited_for_are_well(kind):
    _, finding = judge(Server(KEEPS | semi_sync(kind), status(kind), 0))

    assert (finding.check, finding.verdict) == ("replicas", Verdict.OK)


@pytest.mark.parametrize(
    ("variables", "state", "said"),
    [
        ({}, {}, "replicas are asynchronous (1)"),
        (semi_sync(enabled="OFF"), status(clients=0, waits="OFF"), "replicas are asynchronous (1)"),
        (semi_sync(), status(waits="OFF"), "no replica is waited for now"),
        (semi_sync(timeout="10000"), status(), "a replica is waited for 10 s and no longer"),
        (semi_sync("master", wait_point="AFTER_COMMIT"), status("master"), "rpl_semi_sync_master_wait_point is AFTER"),
    ],
)
def test_replicas_that_may_not_know_of_a_commit_are_warned_of(variables, state, said):
    _, finding = judge(Server(KEEPS | variables, state, 1))

    assert (finding.check, finding.verdict) == ("replicas", Verdict.WARNING)
    assert words(finding.found).startswith(said)
