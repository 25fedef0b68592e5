"""Metrics of the hosts that have a server or a worker: who is there, what each has in hand, how its clock goes."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric

from app.store.hosts import Process

TOGETHER_MS = 10_000
"""What was seen so shortly before the last of a host's was there until its end, and is of no former life."""


def of_hosts(known: Sequence[Process]) -> Iterator[Metric]:
    """`known`, by host. One that is gone and did not say so has what it had in hand when it was last seen."""
    states = {"alive": 0, "gone": 0}
    seen = Gauge("sms_host_last_seen_timestamp_seconds", "When a host last said that it is there.", labels=["host"])
    offset = Gauge(
        "sms_host_clock_offset_seconds", "By how much a host's clock is ahead of the database's.", labels=["host"]
    )
    in_hand = Gauge("sms_host_in_hand", "Orders that a host has in hand, or had when last seen.", labels=["host"])
    for host, some in groupby(known, lambda each: each.host):
        processes = list(some)
        latest = max(processes, key=lambda each: each.seen_ms)
        there = [each for each in processes if each.is_alive]
        states["alive" if there else "gone"] += 1
        last = there or [each for each in processes if each.seen_ms >= latest.seen_ms - TOGETHER_MS]
        seen.add_metric([host], latest.seen_ms / 1000)
        offset.add_metric([host], latest.clock_ms / 1000)
        in_hand.add_metric([host], sum(each.in_hand for each in last))
    hosts = Gauge("sms_hosts", "Hosts with a server or a worker, by whether signs of life come.", labels=["state"])
    for state, count in states.items():
        hosts.add_metric([state], count)
    yield from (hosts, seen, offset, in_hand)
