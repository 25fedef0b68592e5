"""Examines what workers on several hosts need: the broker, its queue, and that they are there."""

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy import Connection

from app.config import Config
from app.doctor.finding import Finding, ok, problem, warning
from app.sentence import Sentence
from app.store import hosts

CONSUMER_TIMEOUT_S = 1_800
"""How long RabbitMQ lets a worker keep an order, unless it is told otherwise, which cannot be seen from here. Beyond it
two copies ran, and both workers left. Source: RabbitMQ, Consumer Delivery Acknowledgement Timeout."""
SLICES = 10
"""So many of them are to fit into it."""
MOST_APART_MS = 2_000
OF_PLACE, OF_WORKER, OF_SERVER = 3, 1, 12
"""Connections to the database at once: for each process that sends, and beside these for each worker and each server.
Seen in a campaign over SMPP: 2 or 3, 1, and 8."""


class Broker(NamedTuple):
    """What a look at the broker found."""

    product: str
    version: str
    queue: str
    is_there: bool
    """Whether the queue is."""
    other: str
    """What is different in it from what we would make, in the broker's words; '' where nothing is."""


LookAtBroker = Callable[[Config], Broker]
"""Raises whatever the broker's library raises."""


def examine(settings: Config, look: LookAtBroker) -> Iterator[Finding]:
    """Where workers are ordered by a broker; one that is not used is not looked at. Nothing is changed."""
    if settings.sms_runner != "celery":
        return
    address = urlsplit(settings.broker_url)
    where = f"{address.hostname}:{address.port or 5672}"
    try:
        broker = look(settings)
    except Exception as error:  # of a library that has many
        yield problem("broker", Sentence("doctor.at", where=where, why=error), Sentence("advice.start_broker"))
        return
    yield ok("broker", Sentence("doctor.broker", product=broker.product, version=broker.version, where=where))
    if broker.other:
        other = Sentence("doctor.queue_other", queue=broker.queue, why=broker.other)
        yield problem("queue", other, Sentence("advice.delete_queue"))
    else:
        yield ok("queue", Sentence("doctor.queue" if broker.is_there else "doctor.queue_none", queue=broker.queue))
    slice_s = settings.sms_slice_s
    if SLICES * slice_s <= CONSUMER_TIMEOUT_S:
        yield ok("slices", Sentence("doctor.slices", slice_s=slice_s))
    else:
        advice = Sentence("advice.shorter_slices", wanted_s=SLICES * slice_s)
        yield warning("slices", Sentence("doctor.slices_long", slice_s=slice_s), advice)


def examine_hosts(connection: Connection) -> Iterator[Finding]:
    """Whether workers are there, and whether the clocks of their hosts are right."""
    alive = [each for each in hosts.known(connection) if each.is_alive]
    apart = {each.host: each.clock_ms for each in alive if abs(each.clock_ms) > MOST_APART_MS}
    for host, clock_ms in apart.items():
        found = Sentence("doctor.hosts_apart", host=host, seconds=clock_ms / 1000)
        yield warning("hosts", found, Sentence("advice.one_clock"))
    workers = {each.host for each in alive if each.kind == hosts.WORKER}
    if not workers:
        yield warning("hosts", Sentence("doctor.hosts_none"), Sentence("advice.start_worker"))
    elif not apart:
        yield ok("hosts", Sentence("doctor.hosts", count=len(workers)))


def examine_connections(connection: Connection) -> Iterator[Finding]:
    """Whether the database lets in as many as all that are there may want at once; of a server, not of SQLite."""
    alive = [each for each in hosts.known(connection) if each.is_alive]
    if not alive:
        return
    needed = sum(OF_SERVER if each.kind == hosts.SERVER else OF_WORKER + OF_PLACE * each.places for each in alive)
    most = int(connection.execute(sa.text("SELECT @@GLOBAL.max_connections")).scalar_one())
    facts = {"needed": needed, "most": most}
    if needed <= most:
        yield ok("connections", Sentence("doctor.connections", **facts))
    else:
        advice = Sentence("advice.set_in_server", name="max_connections", value=2 * needed)
        yield warning("connections", Sentence("doctor.connections_few", **facts), advice)
