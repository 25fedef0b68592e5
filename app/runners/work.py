"""What a task worker does with an order, whoever carried it there."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Engine

from app.dedupe.prepare_campaign import prepare_campaign
from app.domain.orders import Rejected, ShardOrder, ShardReport
from app.errors import UnknownDocument
from app.gateways.base import Network
from app.runners import orders
from app.sending.shard import send_shard

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.2
"""A task tells of its progress at most this often."""


class Work:
    """`should_stop` ends an order early. `tell(campaign_id)` is called while a campaign gets on, `on_rejected` at most
    once for a shard."""

    def __init__(
        self,
        database: Engine,
        log_dir: Path,
        slice_s: float,
        *,
        should_stop: Callable[[], bool],
        tell: Callable[[int], None],
        on_rejected: Callable[[Rejected], None],
        networks: Mapping[str, Network],
    ) -> None:
        self._database = database
        self._log_dir = log_dir
        self._slice_s = slice_s
        self._should_stop = should_stop
        self._tell = tell
        self._on_rejected = on_rejected
        self._networks = networks

    def carry_out(self, text: object) -> str:
        """The report, as text; '' for an order that is not known here, as one that another release left in the
        queue. Raises what the database raises that does not pass by itself."""
        try:
            order = orders.read_order(text)
        except UnknownDocument as error:
            log.warning("order is not known here, dropped", extra={"kind": error.kind, "version": error.version})
            return ""
        if isinstance(order, ShardOrder):
            return orders.write(self._send(order))
        return orders.write(prepare_campaign(self._database, self._log_dir, order, should_stop=self._should_stop))

    def _send(self, order: ShardOrder) -> ShardReport:
        told_at = 0.0

        def tell() -> None:
            nonlocal told_at
            now = time.monotonic()
            if now - told_at >= TELL_EVERY_S:
                told_at = now
                self._tell(order.campaign_id)

        return send_shard(
            self._database,
            self._log_dir,
            order,
            slice_s=self._slice_s,
            should_stop=self._should_stop,
            on_progress=tell,
            on_rejected=self._on_rejected,
            networks=self._networks,
        )
