"""The engine's callbacks: bytes to request, request to service, result to bytes."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.campaigns.control import control
from app.campaigns.start import Dispatched, dispatch, look_up
from app.config import Config
from app.domain.campaign import Verb
from app.domain.reject import Reason
from app.errors import AppError, BadRequest, UnknownCampaign, UnknownDocument, WrongState
from app.gateways.base import Network
from app.gateways.log_file.folder import make_folder
from app.gateways.networks import load_networks
from app.runners import orders
from app.runners.receivers import add_receivers, stops_within_s
from app.runners.scheduler import Scheduler
from app.runners.work import Work
from app.store.campaigns import Campaign
from app.store.customers import collect_rarely
from app.store.database import LONG_S, keep_alive, open_configured
from app.store.faults import may_pass, reason
from app.store.patience import Patience
from app.threads import Threads
from app.trigger import protocol
from app.trigger.exposure import check_protected
from app.trigger.idle import LOOK_EVERY_S, IdleConnections
from app.trigger.protocol import Control, Trigger, Watch
from app.trigger.refusals import Refusals
from app.trigger.token import is_right, read_token
from app.trigger.watchers import Watchers
from engine import IpcMode, SendBufferFull, Server, Settings, TaskError, ftok

log = logging.getLogger(__name__)

SCHEDULER = 0
"""The event worker that gives out the shards."""
NUDGE = "nudge"
"""The word to it that there may be something to give out."""
COUNTED_WITHIN_S = 60
"""How long the database may count customers before it is asked whether it is there: a million take 0.2 s."""
KEEP_ALIVE_EVERY_S = 1.0
"""The database closes connections of which it hears nothing for three times as long."""
MOST_CONNECTIONS = 1_000
"""At once. With half a request each they hold 64 MiB."""
FRAME_WITHIN_S = 10.0
"""How long a request may take from its first byte to its last."""


class _Turn(asyncio.Lock):
    """Of the requests of one connection, that one whose turn it is."""

    is_refused = False
    """One of them did not bear the token: those behind it get no answer."""


class Application:
    """What one process of the server holds. Made before the first fork, at work from `worker_start` on."""

    def __init__(
        self, config: Config, token: SecretStr, database: Engine, networks: Mapping[str, Network] | None = None
    ) -> None:
        self._config = config
        self._networks = networks or {}
        self._token = token
        self._database = database
        self._watchers: Watchers
        self._asking = Threads("triggers", 4)
        self._controlling = Threads("control", 2)
        """These wait for tasks to stop, up to 5 s."""
        self._scheduler: Scheduler | None = None
        self._scheduling: asyncio.Task[None] | None = None
        self._keeping_alive: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[int, _Turn] = WeakValueDictionary()
        """By connection; each lives as long as a request waits for it."""
        self._idle = IdleConnections()
        self._refused: dict[int, _Turn] = {}
        """Turns of connections that were refused, until these are closed."""
        self._refusals = Refusals()
        self._watching: dict[int, set[asyncio.Task[None] | None]] = {}
        """Requests that watch a campaign, by connection."""

    # ── life ────────────────────────────────────────────────────────────────────────────────────

    def worker_start(self, server: Server, worker_id: int) -> None:
        if server.taskworker:
            collect_rarely()
            return
        self._watchers = Watchers(self._database)
        self._close_idle(server)
        self._keeping_alive = asyncio.get_running_loop().create_task(self._keep_alive())
        if worker_id == SCHEDULER:
            owner = make_folder(self._config.sms_log_dir)
            self._scheduler = Scheduler(
                self._database,
                self._config.sms_log_dir,
                owner,
                task_workers=self._config.sms_task_worker_num,
                patient=open_patiently(self._config),
                post=lambda order: server.task(orders.write(order)),
                changed=lambda campaign_id: self._changed(server, campaign_id),
                is_stopping=lambda: server.stopping,
            )
            self._scheduling = asyncio.get_running_loop().create_task(self._scheduler.run())

    def worker_exit(self, server: Server, worker_id: int) -> None:
        if not server.taskworker:
            self._watchers.dismiss()

    def worker_stop(self, server: Server, worker_id: int) -> None:
        for job in (self._scheduling, self._keeping_alive):
            if job:
                job.cancel()
        if not server.taskworker:
            self._refusals.say_rest()
            for each in (self._watchers, self._asking, self._controlling):
                each.close()
        self._database.dispose()

    def shutdown(self, server: Server) -> None:
        server.discard_tasks()  # the next start finds in the database what is to be done

    def _close_idle(self, server: Server) -> None:
        for fd in self._idle.over():
            server.close(fd)
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._close_idle, server)

    async def _keep_alive(self) -> None:
        """So that who asks after a silence is answered as quickly as anybody else."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_EVERY_S)
            with suppress(SQLAlchemyError):  # who needs the database will hear of it
                await self._asking.run(keep_alive, self._database)

    # ── a client asks ───────────────────────────────────────────────────────────────────────────

    def connect(self, server: Server, fd: int, reactor_id: int) -> None:
        self._idle.opened(fd)

    async def receive(self, server: Server, fd: int, reactor_id: int, frame: bytes) -> None:
        body = frame[protocol.HEADER_BYTES :]
        try:
            with self._idle.at_work(fd):
                await self._answer(server, fd, body, protocol.is_json(body))
        except SendBufferFull:
            if server.close(fd):  # or a request before this one did
                log.warning("client reads too slowly, closed", extra={"fd": fd})

    async def _answer(self, server: Server, fd: int, body: bytes, as_json: bool) -> None:
        """Obey a request, or say why not. Raises SendBufferFull for a client that does not read its answers."""
        try:
            await self._obey(server, fd, body, as_json)
        except BadRequest as error:
            server.send(fd, protocol.refused(error.code, str(error), as_json=as_json))
        except UnknownCampaign as error:
            server.send(fd, protocol.unknown_campaign(error.name, as_json=as_json))
        except WrongState as error:
            server.send(fd, protocol.wrong_state(error.verb, error.name, error.state, as_json=as_json))
        except SendBufferFull:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and may_pass(error):
                log.warning("request refused, the database is away", extra={"error": reason(error)})
            else:
                log.exception("request failed")
            code = "refused" if isinstance(error, AppError) else "internal"
            server.send(fd, protocol.refused(code, "服务器暂时无法处理请求,请稍后再试", as_json=as_json))

    async def _obey(self, server: Server, fd: int, body: bytes, as_json: bool) -> None:
        turn = self._turns.setdefault(fd, _Turn())
        async with turn:  # answers go back in the order of the requests
            if turn.is_refused:
                return
            if (request := self._admitted(body)) is None:
                self._turn_away(server, fd, turn, as_json)
                return
            if isinstance(request, Control):
                await self._control(server, fd, request, as_json)
                return
            if isinstance(request, Watch):
                done = await self._asking.run(look_up, self._database, request.campaign)
            else:
                done = await self._asking.run(self._start, request)
            answer = protocol.accepted if done.created else protocol.exists
            campaign = done.campaign
            server.send(fd, answer(campaign.name, done.shards, campaign.state, as_json=as_json))
        if done.created:
            log.info("campaign triggered", extra={"campaign": campaign.name, "shards": len(done.shards)})
            self._nudge(server)
        if isinstance(request, Watch) or request.watch:
            await self._watch(server, fd, campaign, as_json)

    def _start(self, request: Trigger) -> Dispatched:
        return dispatch(
            self._database,
            request.campaign,
            self._config.sms_shard_size,
            template=request.template,
            allow_duplicates=request.allow_duplicates,
            added_columns=self._config.template_columns,
        )

    def _admitted(self, body: bytes) -> Trigger | Watch | Control | None:
        """The request in a body; None where a token is set and it does not bear it, whatever else it says. Raises
        BadRequest for one that cannot be understood."""
        if not self._token.get_secret_value():
            return protocol.parse(body)
        if not is_right(protocol.token_of(body), self._token):
            return None
        request = protocol.parse(body)
        return request if is_right(request.token, self._token) else None

    def _turn_away(self, server: Server, fd: int, turn: _Turn, as_json: bool) -> None:
        """One answer, and nothing more to this client, however much it has asked already."""
        turn.is_refused = True
        info = server.get_client_info(fd)
        self._refusals.note(f"{info['remote_ip']}:{info['remote_port']}" if info else "gone already")
        if info:
            self._refused[fd] = turn
            server.send(fd, protocol.refused("forbidden", "请发送JSON,并带上正确的token", as_json=as_json))
            server.close(fd)

    async def _control(self, server: Server, fd: int, request: Control, as_json: bool) -> None:
        verb = Verb(request.verb)
        done = await self._controlling.run(control, self._database, self._config.sms_log_dir, request.campaign, verb)
        campaign, sent = done.snapshot.campaign, done.snapshot.tally.sent
        server.send(
            fd, protocol.controlled(verb, campaign.name, campaign.state, sent, done.still_sending, as_json=as_json)
        )
        log.info("campaign controlled", extra={"campaign": campaign.name, "verb": verb, "state": campaign.state})
        self._changed(server, campaign.id)
        if verb is Verb.RESUME:
            self._nudge(server)

    def _nudge(self, server: Server) -> None:
        if self._scheduler:
            self._scheduler.nudge()
        else:
            server.send_message(NUDGE, SCHEDULER)

    async def _watch(self, server: Server, fd: int, campaign: Campaign, as_json: bool) -> None:
        watching = self._watching.setdefault(fd, set())
        watching.add(this := asyncio.current_task())
        try:
            async with aclosing(self._watchers.follow(campaign)) as snapshots:
                async for now in snapshots:
                    state, reason, preparing = now.campaign.state, now.campaign.reason, now.campaign.is_preparing
                    line = protocol.progress(
                        campaign.name, state, reason, now.progress, preparing=preparing, as_json=as_json
                    )
                    if not server.send(fd, line):
                        return
        finally:
            watching.discard(this)
            if not watching:
                self._watching.pop(fd, None)

    def close(self, server: Server, fd: int, reactor_id: int) -> None:
        """A connection is gone, and so is who watched by it."""
        self._idle.closed(fd)
        self._refused.pop(fd, None)
        for each in self._watching.get(fd, ()):
            if each:
                each.cancel()

    # ── a campaign is prepared, a shard is sent ───────────────────────────────────────────────────

    def task(self, server: Server, task_id: int, src_worker_id: int, text: object) -> str:
        def tell(campaign_id: int) -> None:
            for worker_id in range(self._config.sms_worker_num):
                server.send_message(campaign_id, worker_id)

        return Work(
            self._database,
            self._config.sms_log_dir,
            self._config.sms_slice_s,
            should_stop=lambda: server.stopping,
            tell=tell,
            on_rejected=lambda news: server.send_message(orders.write(news), self._listener_of_rejects),
            networks=self._networks,
        ).carry_out(text)

    async def finish(self, server: Server, task_id: int, text: object) -> None:
        if not self._scheduler:
            return
        try:
            report = orders.read_report(text)
        except UnknownDocument as error:  # of a task of a former life, which nobody here waits for
            if text:
                log.warning("report is not known here, dropped", extra={"kind": error.kind, "version": error.version})
            self._scheduler.on_error(task_id, error)
        else:
            await self._scheduler.on_report(report)

    def task_error(self, server: Server, task_id: int, error: TaskError) -> None:
        if self._scheduler:
            self._scheduler.on_error(task_id, error)

    # ── news between processes ──────────────────────────────────────────────────────────────────

    @property
    def _listener_of_rejects(self) -> int:
        """Event worker 1, as in the tutorial, or the only one there is."""
        return min(1, self._config.sms_worker_num - 1)

    def pipe_message(self, server: Server, src_worker_id: int, message: str | int) -> None:
        """The id of a campaign that changed, news of rejects, or the word that there is something to give out."""
        if isinstance(message, int):
            self._watchers.tell(message)
        elif message != NUDGE:
            news = orders.read_news(message)
            counts = {reason.value: news.counts[reason] for reason in Reason if news.counts[reason]}
            facts = {"campaign_id": news.order.campaign_id, "shard": news.order.number}
            log.info("customers were not greeted", extra=facts | counts)  # one line for a shard, however many people
        elif self._scheduler:
            self._scheduler.nudge()

    def _changed(self, server: Server, campaign_id: int) -> None:
        self._watchers.tell(campaign_id)
        for worker_id in range(self._config.sms_worker_num):
            if worker_id != server.worker_id:
                server.send_message(campaign_id, worker_id)


def open_patiently(config: Config) -> Engine:
    """The database that the settings name, for who counts all customers."""
    return open_configured(config, patience=Patience(COUNTED_WITHIN_S, LONG_S))


def _path(file: Path | None) -> str:
    return str(file or "")


def build(config: Config, database: Engine) -> Server:
    """The server, ready to start. The folder of logs is there: the tasks' queue is named after it. Each worker gets
    connections of its own to the database, and what the driver made ready before the first fork.

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
            task_worker_num=config.sms_task_worker_num,
            task_ipc_mode=IpcMode.QUEUE,
            message_queue_key=ftok(str(config.sms_log_dir), 1),
            open_length_check=True,
            package_length_type="N",
            package_length_offset=0,
            package_body_offset=protocol.HEADER_BYTES,
            package_max_length=protocol.MAX_FRAME_BYTES,
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
    application = Application(config, token, database, networks)
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
