"""What a worker does with an order, whoever carried it there."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.campaigns.census import count_audiences
from app.campaigns.finish import close_complete, close_shard
from app.campaigns.leased import leased
from app.config import Config
from app.dedupe.prepare_campaign import prepare_campaign
from app.domain.campaign import State
from app.domain.orders import (
    CensusOrder,
    CensusReport,
    Outcome,
    PrepareOrder,
    PrepareReport,
    Rejected,
    ShardOrder,
    ShardReport,
)
from app.errors import ShardTaken, UnknownDocument
from app.gateways.base import Network
from app.gateways.log_file.folder import owner_of
from app.runners import orders
from app.runners.orders import Order, Report
from app.sending.shard import send_shard
from app.store.database import LONG_S, open_configured
from app.store.faults import may_pass, reason
from app.store.patience import Patience

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.2
"""A task tells of its progress at most this often."""
COUNTED_WITHIN_S = 60
"""How long the database may count customers before it is asked whether it is there: a million take 0.2 s."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a worker has at hand. `should_stop` ends an order early. `tell(campaign_id)` is called while a campaign gets
    on, `on_rejected` at most once for a shard; all customers are counted on what `open_patiently` gives."""

    database: Engine
    log_dir: Path
    slice_s: float
    should_stop: Callable[[], bool]
    tell: Callable[[int], None]
    on_rejected: Callable[[Rejected], None]
    networks: Mapping[str, Network]
    open_patiently: Callable[[], Engine]


def open_patiently(config: Config) -> Engine:
    """The database that the settings name, for who counts all customers."""
    return open_configured(config, patience=Patience(COUNTED_WITHIN_S, LONG_S))


def read_known(text: object) -> Order | None:
    """The order; None for one that is not known here, as one that another release left in the queue."""
    try:
        return orders.read_order(text)
    except UnknownDocument as error:
        log.warning("order is not known here, dropped", extra={"kind": error.kind, "version": error.version})
        return None


def carry_out(text: object, context: Context) -> str:
    """The report, as text; '' for an order that is not known here. Raises as `perform` does."""
    order = read_known(text)
    return "" if order is None else orders.write(perform(order, context))


def perform(order: Order, context: Context) -> Report:
    """Do what is ordered, as far as it goes now. Raises what the database raises that does not pass by itself."""
    if isinstance(order, ShardOrder):
        report = _send(order, context)
        if report.outcome is Outcome.COMPLETE:
            _close(order, context)
        return report
    if isinstance(order, PrepareOrder):
        return _prepare(order, context)
    patient = context.open_patiently()
    try:
        return count(order, patient, context.log_dir)
    finally:
        patient.dispose()


def _send(order: ShardOrder, context: Context) -> ShardReport:
    told_at = 0.0

    def tell() -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= TELL_EVERY_S:
            told_at = now
            context.tell(order.campaign_id)

    return send_shard(
        context.database,
        context.log_dir,
        order,
        slice_s=context.slice_s,
        should_stop=context.should_stop,
        on_progress=tell,
        on_rejected=context.on_rejected,
        networks=context.networks,
    )


def _close(order: ShardOrder, context: Context) -> None:
    """The shard, and with the last one its campaign; whoever is first does it. What fails here the next task does: it
    finds nothing left to send."""
    of = {"campaign_id": order.campaign_id}
    try:
        if close_shard(context.database, order.campaign_id, order.number):
            log.info("shard finished", extra={**of, "shard": order.number})
        owner = owner_of(context.log_dir)
        note_closed(close_complete(context.database, context.log_dir, owner, order.campaign_id))
    except SQLAlchemyError as error:
        log.warning("shard could not be closed, trying again", extra={**of, "error": reason(error)})


def note_closed(closed: Iterable[tuple[int, State]]) -> None:
    """Say which campaigns are over."""
    for campaign_id, state in closed:
        if state is State.FINISHED:
            log.info("campaign finished", extra={"campaign_id": campaign_id})
        else:
            log.error("campaign failed, its state says why", extra={"campaign_id": campaign_id})


def _prepare(order: PrepareOrder, context: Context) -> PrepareReport:
    """One task of all hosts does it."""
    try:
        with leased(context.database, order.lease, context.log_dir) as lease:
            return prepare_campaign(
                context.database,
                context.log_dir,
                order,
                should_stop=lambda: context.should_stop() or not lease.is_ours,
            )
    except ShardTaken:
        return PrepareReport(order, Outcome.TAKEN)
    except DBAPIError as error:
        if not may_pass(error):
            raise
        return PrepareReport(order, Outcome.BLOCKED, reason(error))


def count(order: CensusOrder, patient: Engine, log_dir: Path) -> CensusReport:
    """Count every audience that is not counted yet, on a database that may take its time; one process does it."""
    try:
        with leased(patient, order.lease, log_dir):
            count_audiences(patient)
    except ShardTaken:
        return CensusReport(order, Outcome.TAKEN)
    except DBAPIError as error:
        if not may_pass(error):
            raise
        return CensusReport(order, Outcome.BLOCKED, reason(error))
    return CensusReport(order, Outcome.COMPLETE)
