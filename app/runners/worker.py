"""A worker of the fleet: does what it is ordered, and reports it to the database."""

import logging
import mmap
from collections import Counter

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.campaigns.release import cut_back_all
from app.config import Config
from app.domain.orders import CensusOrder, CensusReport, Outcome, PrepareOrder, PrepareReport, Rejected, ShardReport
from app.domain.reject import Reason
from app.errors import LogUnusable
from app.gateways.log_file.folder import make_folder
from app.gateways.networks import load_networks
from app.runners import orders
from app.runners.orders import Order, Report
from app.runners.work import Context, open_patiently, perform, read_known
from app.store import reports
from app.store.database import open_configured
from app.store.faults import reason, text_of, write
from app.store.patience import SERVER_MOST_SILENT_S, SERVER_SILENT_S, Patience

log = logging.getLogger(__name__)


class Worker:
    """What the processes of one worker have in common; to be made before they are forked. Raises ConfigError."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.folder = _folder(config)
        """The name of its folder of logs; '' where there can be none."""
        self._database = open_configured(config, patience=Patience(SERVER_SILENT_S, SERVER_MOST_SILENT_S))
        self._stopping = mmap.mmap(-1, 1)
        """One byte that all processes share: a signal reaches the first one alone."""
        self._context = Context(
            self._database,
            config.sms_log_dir,
            config.sms_slice_s,
            should_stop=lambda: self._stopping[0] != 0,
            tell=lambda _: None,  # progress is what the database says
            on_rejected=say_rejected,
            networks=load_networks(config),
            open_patiently=lambda: open_patiently(config),
        )

    def stop(self) -> None:
        """End every task soon. It may be called in a signal handler."""
        self._stopping[0] = 1

    def cut_back(self, database: Engine) -> None:
        """Logs here whose shards others took up end where the record says."""
        if self.folder:
            cut_back_all(database, self.config.sms_log_dir, self.folder)

    def carry_out(self, text: str) -> None:
        """Whatever happens, the order is done with: what was to be done is given out anew as long as it stands in the
        database."""
        if (order := read_known(text)) is None:
            return
        try:
            report = perform(order, self._context)
        except Exception as error:
            log.exception("task broke down")
            report = _blocked(order, text_of(error))
        try:
            write(self._database, lambda connection: reports.insert(connection, orders.write(report)))
        except SQLAlchemyError as error:  # the scheduler sees that nobody is at it any more
            log.warning("report was not heard, the order is given out anew", extra={"error": reason(error)})


def _folder(config: Config) -> str:
    try:
        return make_folder(config.sms_log_dir)
    except LogUnusable:
        log.warning("no folder of logs, this worker sends to networks alone", extra={"folder": config.sms_log_dir})
        return ""


def _blocked(order: Order, why: str) -> Report:
    if isinstance(order, PrepareOrder):
        return PrepareReport(order, Outcome.BLOCKED, why)
    if isinstance(order, CensusOrder):
        return CensusReport(order, Outcome.BLOCKED, why)
    return ShardReport(order, Outcome.BLOCKED, why)


def say_rejected(news: Rejected) -> None:
    """One line for a shard, however many people."""
    counts: Counter[Reason] = news.counts
    facts = {"campaign_id": news.order.campaign_id, "shard": news.order.number}
    told = {each.value: counts[each] for each in Reason if counts[each]}
    log.info("customers were not greeted", extra=facts | told)
