"""/metrics for Prometheus: read from the database when somebody asks, and not counted in this process."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from app.domain.campaign import LOG, ShardState, State
from app.domain.delivery import Delivery
from app.errors import ConfigError
from app.trigger.server_stats import ServerStats
from app.web.facts import Facts, Followed
from app.web.gateway_metrics import of_traffic
from app.web.host_metrics import of_hosts
from app.web.house import House, house_of

router = APIRouter(include_in_schema=False)
TASK_STATES = ("busy", "idle")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """What is known now; without a database that there is none."""
    house = house_of(request)
    facts: Facts | None = None
    try:
        facts = await house.looks.see(house.facts)
    except DBAPIError:  # sms_database_up says so
        facts = None
    stats = await house.server()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once([*of_database(facts, await gateways_of(house)), *of_server(stats)]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def gateways_of(house: House) -> Collection[str]:
    """Those of the file of gateways; none while it is wrong, which others say."""
    try:
        return (await house.accounts()).keys()
    except ConfigError:
        return ()


class Once(Collector):
    """These, as they are."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> list[Metric]:
        return self._found


def of_server(stats: ServerStats | None) -> Iterator[Metric]:
    """What the server says of itself; that it is not there, where it says nothing."""
    yield Gauge("sms_server_up", "Whether the server answers at its port.", float(stats is not None))
    if stats is None:
        return
    workers = Gauge("sms_task_workers", "Task workers of the server, by what they are at.", labels=["state"])
    for state in dict.fromkeys([*TASK_STATES, *stats.task_workers]):
        workers.add_metric([state], stats.task_workers.get(state, 0))
    yield workers
    yield Gauge("sms_tasks_waiting", "Tasks that no task worker has yet.", float(stats.tasks_waiting))


def of_database(facts: Facts | None, gateways: Collection[str] = ()) -> Iterator[Metric]:
    """What the database knows. Totals of campaigns are gauges, for to take up a shard again may lower them. `gateways`
    are those that the settings name, of which it may know nothing yet."""
    build = Gauge("sms_build_info", "Which version this is.", labels=["version"])
    build.add_metric([_version()], 1)
    yield build
    yield Gauge("sms_database_up", "Whether the database answers.", float(facts is not None))
    if facts is None:
        return
    states = Gauge("sms_campaigns", "Campaigns, by state.", labels=["state"])
    for state in State:
        states.add_metric([state.value], facts.by_state.get(state, 0))
    yield states
    yield from _of_campaigns(facts.followed)
    yield from _of_gateways(facts, gateways)
    yield from of_hosts(facts.hosts)


def _of_campaigns(followed: list[Followed]) -> Iterator[Metric]:
    customers = Gauge(
        "sms_campaign_customers", "Customers of a campaign, by what became of them.", labels=["campaign", "outcome"]
    )
    rejected = Gauge(
        "sms_campaign_rejected_customers", "Customers who get nothing, by reason.", labels=["campaign", "reason"]
    )
    moved = Gauge(
        "sms_campaign_last_progress_timestamp_seconds",
        "When a campaign was last seen to get on or go on while it ran; until then, when it was triggered.",
        labels=["campaign"],
    )
    running = Gauge("sms_campaign_running", "Whether a campaign is to get on now.", labels=["campaign"])
    shards = Counter(dict.fromkeys(ShardState, 0))
    for each in followed:
        campaign, sums = each.summary.campaign, each.summary.sums
        for outcome, count in outcomes(each).items():
            customers.add_metric([campaign.name, outcome], count)
        for reason, count in each.reasons.rejects:
            rejected.add_metric([campaign.name, reason.value], count)
        moved.add_metric([campaign.name], each.moved_at_s)
        running.add_metric([campaign.name], float(campaign.state is State.RUNNING and not each.summary.drain))
        found = {ShardState.OPEN: sums.open, ShardState.SUSPECT: sums.suspect, ShardState.FINISHED: sums.finished}
        shards.update(found)
    by_state = Gauge(
        "sms_shards", "Shards of campaigns that are not over, or not for a day, by state.", labels=["state"]
    )
    for state, count in shards.items():
        by_state.add_metric([state.value], count)
    yield from (customers, rejected, moved, running, by_state)


def outcomes(each: Followed) -> dict[str, int]:
    """What became of whom; together they are the audience, once that is counted. Pure."""
    tally = each.summary.tally
    if each.summary.campaign.gateway == LOG:
        found = {"sent": tally.sent}
    else:
        found = {state.value: tally.of(state) for state in Delivery}
    found |= {"rejected": tally.rejected, "gone": tally.gone}
    if tally.audience is not None:
        found["waiting"] = max(0, tally.audience - tally.met - tally.gone)
    return found


def _of_gateways(facts: Facts, known: Collection[str]) -> Iterator[Metric]:
    of_gateway: dict[str, Counter[str]] = {}
    for each in facts.followed:
        campaign, tally = each.summary.campaign, each.summary.tally
        if campaign.gateway != LOG:
            counts = of_gateway.setdefault(campaign.gateway, Counter())
            counts.update({"in_flight": tally.submitting, "unknown": tally.unknown})
    in_flight = Gauge("sms_gateway_in_flight", "Messages without an answer yet, on record.", labels=["gateway"])
    unknown = Gauge(
        "sms_messages_unknown", "Messages of which nobody knows whether they were taken.", labels=["gateway"]
    )
    binds = Gauge("sms_gateway_sessions", "Sessions that send now.", labels=["gateway"])
    for gateway in sorted(of_gateway.keys() | facts.binds.keys() | set(known)):
        counts = of_gateway.get(gateway, Counter())
        in_flight.add_metric([gateway], counts["in_flight"])
        unknown.add_metric([gateway], counts["unknown"])
        binds.add_metric([gateway], facts.binds.get(gateway, 0))
    yield from (in_flight, unknown, binds)
    up = Gauge(
        "sms_gateway_up", "Whether somebody who uses it could reach it just now; missing while nobody does.",
        labels=["gateway"],
    )  # fmt: skip
    for gateway, is_up in sorted(facts.up.items()):
        up.add_metric([gateway], float(is_up))
    yield up
    # From the first on, and not from when there is something to count: the first would be no increase of anything.
    yield from of_traffic({**{each: Counter() for each in sorted(known)}, **facts.traffic})


def _version() -> str:
    try:
        return version("sms-campaigns")
    except PackageNotFoundError:  # it runs where it lies, as in the image
        return "unknown"
