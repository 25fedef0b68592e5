"""The engine's callbacks: which process does what, orders to tasks, news between processes."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine

from app.access.keyring import Keyring
from app.config import Config
from app.domain.orders import CensusOrder
from app.errors import UnknownDocument
from app.gateways.base import Network
from app.gateways.log_file.folder import make_folder
from app.gateways.networks import load_networks
from app.runners import orders
from app.runners.fleet import SWEEP_EVERY_S, BrokerRunner, Publish, SharedWorkers
from app.runners.heart import Heart
from app.runners.orders import Order
from app.runners.receivers import add_receivers, stops_within_s
from app.runners.scheduler import Scheduler
from app.runners.work import Context, carry_out, count, open_patiently
from app.runners.worker import say_rejected
from app.store.customers import collect_rarely
from app.store.database import open_configured
from app.store.hosts import SERVER
from app.store.patience import SERVER_SILENT_S, Patience
from app.threads import Threads
from app.trigger import requests
from app.trigger.exposure import check_protected
from app.trigger.handler import Handler
from app.trigger.token import read_token, reread
from engine import IpcMode, Server, Settings, TaskError, ftok

log = logging.getLogger(__name__)

SCHEDULER = 0
"""The event worker that gives out the shards."""
NUDGE = "nudge"
"""The word to it that there may be something to give out."""
MOST_CONNECTIONS = 1_000
"""At once. With half a request each they hold 64 MiB."""
FRAME_WITHIN_S = 10.0
"""How long a request may take from its first byte to its last."""


class EngineRunner:
    """Carries orders to the server's own task workers; the scheduler's own process counts customers, in a thread, so
    that no task worker is kept from sending. To be made where the event loop runs."""

    def __init__(self, server: Server, config: Config) -> None:
        self._server = server
        self._log_dir = config.sms_log_dir
        self._out: dict[int, Order] = {}
        """By the task that carries it."""
        self._patient = open_patiently(config)
        self._threads = Threads("census", 1)
        self._counting: asyncio.Task[None] | None = None
        self.scheduler: Scheduler

    def post(self, order: Order) -> None:
        """See Runner."""
        if isinstance(order, CensusOrder):
            self._counting = asyncio.create_task(self._count(order))
        else:
            self._out[self._server.task(orders.write(order))] = order

    def close(self) -> None:
        """See Runner."""
        if self._counting:
            self._counting.cancel()
        self._threads.close()
        self._patient.dispose()

    def back(self, task_id: int) -> Order | None:
        """What the task carried, which is over."""
        return self._out.pop(task_id, None)

    async def _count(self, order: CensusOrder) -> None:
        try:
            report = await self._threads.run(count, order, self._patient, self._log_dir)
        except Exception as error:
            log.exception("audience not counted")
            self.scheduler.on_error(order, error)
        else:
            await self.scheduler.on_report(report)


class Application:
    """What one process of the server holds. Made before the first fork, at work from `worker_start` on. `publish`,
    where workers of other hosts send, by way of a broker."""

    def __init__(
        self,
        config: Config,
        token: SecretStr,
        database: Engine,
        networks: Mapping[str, Network] | None = None,
        publish: Publish | None = None,
    ) -> None:
        self._publish = publish
        self._config = config
        self._networks = networks or {}
        self._token = token
        self._database = database
        self._handler: Handler
        self._runner: EngineRunner | None = None
        self._scheduler: Scheduler | None = None
        self._heart: Heart | None = None
        self._scheduling: asyncio.Task[None] | None = None

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def worker_start(self, server: Server, worker_id: int) -> None:
        if server.taskworker:
            collect_rarely()
            return
        self._handler = Handler(
            server,
            self._config,
            Keyring(self._database, self._token, lambda: reread(self._config)),
            self._database,
            networks=self._networks,
            changed=lambda campaign_id: self._changed(server, campaign_id),
            nudge=lambda: self._nudge(server),
        )
        if worker_id == SCHEDULER:
            owner = make_folder(self._config.sms_log_dir)
            self._scheduler = self._schedule(server, owner)
            self._scheduling = asyncio.get_running_loop().create_task(self._scheduler.run())
            self._heart = self._beat(self._scheduler, owner)

    def _schedule(self, server: Server, owner: str) -> Scheduler:
        runner: EngineRunner | BrokerRunner
        fleet, every_s = None, None
        if self._publish:
            fleet, every_s = SharedWorkers(self._database, owner), SWEEP_EVERY_S
            runner = BrokerRunner(self._database, self._publish)
        else:
            runner = self._runner = EngineRunner(server, self._config)
        scheduler = Scheduler(
            self._database,
            self._config.sms_log_dir,
            owner,
            task_workers=self._config.sms_task_worker_num,
            slice_s=self._config.sms_slice_s,
            runner=runner,
            fleet=fleet,
            sweep_every_s=every_s,
            changed=lambda campaign_id: self._changed(server, campaign_id),
            is_stopping=lambda: server.stopping,
        )
        runner.scheduler = scheduler
        return scheduler

    def _beat(self, scheduler: Scheduler, owner: str) -> Heart:
        """This server is there, with its folder of logs, and with what its own task workers have in hand."""
        most = 0 if self._publish else self._config.sms_task_worker_num
        database = open_configured(self._config, patience=Patience(SERVER_SILENT_S, SERVER_SILENT_S))
        of = (self._config.host_id, SERVER, most, lambda: min(scheduler.out, most))
        heart = Heart(database, *of, folder=owner)
        heart.start()
        return heart

    def worker_exit(self, server: Server, worker_id: int) -> None:
        if not server.taskworker:
            self._handler.dismiss()

    def worker_stop(self, server: Server, worker_id: int) -> None:
        if self._scheduling:
            self._scheduling.cancel()
        if self._heart:
            self._heart.stop()
        if not server.taskworker:
            self._handler.stop()
        self._database.dispose()

    def shutdown(self, server: Server) -> None:
        server.discard_tasks()  # the next start finds in the database what is to be done

    # ── a client asks ───────────────────────────────────────────────────────────────────────────

    def connect(self, server: Server, fd: int, reactor_id: int) -> None:
        self._handler.connect(fd)

    async def receive(self, server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        await self._handler.receive(fd, frame)

    def close(self, server: Server, fd: int, reactor_id: int) -> None:
        self._handler.close(fd)

    # ── a campaign is prepared, a shard is sent ───────────────────────────────────────────────────

    def task(self, server: Server, task_id: int, src_worker_id: int, text: object) -> str:
        def tell(campaign_id: int) -> None:
            for worker_id in range(self._config.sms_worker_num):
                server.send_message(campaign_id, worker_id)

        context = Context(
            self._database,
            self._config.sms_log_dir,
            self._config.sms_slice_s,
            should_stop=lambda: server.stopping,
            tell=tell,
            on_rejected=lambda news: server.send_message(orders.write(news), self._listener_of_rejects),
            networks=self._networks,
            open_patiently=lambda: open_patiently(self._config),
        )
        return carry_out(text, context)

    async def finish(self, server: Server, task_id: int, text: object) -> None:
        if not (self._runner and self._scheduler):
            return
        order = self._runner.back(task_id)
        try:
            report = orders.read_report(text)
        except UnknownDocument as error:  # of a task of a former life, which nobody here waits for
            if text:
                log.warning("report is not known here, dropped", extra={"kind": error.kind, "version": error.version})
            if order:
                self._scheduler.on_error(order, error)
        else:
            await self._scheduler.on_report(report)

    def task_error(self, server: Server, task_id: int, error: TaskError) -> None:
        if self._runner and self._scheduler and (order := self._runner.back(task_id)):
            self._scheduler.on_error(order, error)

    # ── news between processes ──────────────────────────────────────────────────────────────────

    @property
    def _listener_of_rejects(self) -> int:
        """Event worker 1, as in the tutorial, or the only one there is."""
        return min(1, self._config.sms_worker_num - 1)

    def pipe_message(self, server: Server, src_worker_id: int, message: str | int) -> None:
        """The id of a campaign that changed, news of rejects, or the word that there is something to give out."""
        if isinstance(message, int):
            self._handler.tell(message)
        elif message != NUDGE:
            say_rejected(orders.read_news(message))
        elif self._scheduler:
            self._scheduler.nudge()

    def _nudge(self, server: Server) -> None:
        if self._scheduler:
            self._scheduler.nudge()
        else:
            server.send_message(NUDGE, SCHEDULER)

    def _changed(self, server: Server, campaign_id: int) -> None:
        self._handler.tell(campaign_id)
        for worker_id in range(self._config.sms_worker_num):
            if worker_id != server.worker_id:
                server.send_message(campaign_id, worker_id)


def _path(file: Path | None) -> str:
    return str(file or "")


def build(config: Config, database: Engine, publish: Publish | None = None) -> Server:
    """The server, ready to start. The folder of logs is there: the tasks' queue is named after it. Each worker gets
    connections of its own to the database, and what the driver made ready before the first fork. `publish`: see
    Application; then there are no task workers here.

    Raises TokenUnusable, Unprotected, and ConfigError for the gateways file.
    """
    token = read_token(config)
    networks = load_networks(config)
    check_protected(config.sms_host, token)
    server = Server(
        config.sms_host,
        config.sms_port,
        Settings(
            worker_num=config.sms_worker_num,
            task_worker_num=0 if publish else config.sms_task_worker_num,
            task_ipc_mode=IpcMode.QUEUE,
            message_queue_key=ftok(str(config.sms_log_dir), 1),
            open_length_check=True,
            package_length_type="N",
            package_length_offset=0,
            package_body_offset=requests.HEADER_BYTES,
            package_max_length=requests.MAX_FRAME_BYTES,
            frame_timeout_s=FRAME_WITHIN_S,
            log_frame_head=False,  # a client that forgets the length has sent its token in its place
            heartbeat_idle_time=0,  # see app/trigger/idle.py
            max_conn=MOST_CONNECTIONS,
            ssl_cert_file=_path(config.sms_tls_cert),
            ssl_key_file=_path(config.sms_tls_key),
            ssl_client_cert_file=_path(config.sms_tls_client_ca),
            ssl_verify_peer=config.sms_tls_client_ca is not None,
            process_name="sms",
            max_wait_time=stops_within_s(networks),
        ),
    )
    application = Application(config, token, database, networks, publish)
    for event in (
        "worker_start",
        "worker_exit",
        "worker_stop",
        "connect",
        "receive",
        "close",
        "task",
        "finish",
        "task_error",
        "pipe_message",
        "shutdown",
    ):
        server.on(event, getattr(application, event))
    add_receivers(server, database, networks)
    return server
