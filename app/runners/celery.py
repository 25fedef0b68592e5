"""Carries orders to Celery workers on as many hosts as wanted: `celery -A app.runners.celery worker -Q sms.shards`.

A message is a hint, and the database is the truth: a lost one costs a wait, one that comes twice a claim that fails.
Celery cannot fence, and a worker that is cut off goes on working: epochs and leases decide who may do what.
"""

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from amqp.exceptions import RecoverableConnectionError
from celery import Celery, signals
from celery.app.amqp import AMQP
from celery.worker import state
from kombu import Connection, Exchange, Queue

from app import config as settings
from app import console, log_lines
from app.catalogue import english
from app.domain.orders import CensusOrder, PrepareOrder, ShardOrder
from app.errors import AppError
from app.runners.base import ANY_FOLDER
from app.runners.heart import Heart
from app.runners.orders import Order
from app.store import hosts
from app.store.database import open_configured
from app.store.patience import Patience

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from app.runners.worker import Worker

QUEUE = "sms.shards"
TASKS: dict[type, str] = {ShardOrder: "sms.slice", PrepareOrder: "sms.prepare", CensusOrder: "sms.census"}
MESSAGE_LASTS_S = 60
"""In the broker, by the broker's clock: the scheduler gives out anew what nobody takes up, and without a worker the
queue would grow. Celery's own `expires` goes by the worker's clock, which may be wrong."""
BROKER_WITHIN_S = 4.0
LONGEST_PAUSE_S = 3
"""Between two tries of a worker to reach the broker."""


def queue_of(folder: str = "") -> Queue:
    """The one of all workers, or of those alone that have this folder of logs, or one at all: ANY_FOLDER. Quorum: a
    message survives the broker's crash, and is not delivered twice to who lives."""
    # Without a limit of deliveries: RabbitMQ 4 drops what was delivered 20 times, and each killed worker counts as one.
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": -1}
    name = {"": QUEUE, ANY_FOLDER: "sms.logs"}.get(folder, f"sms.logs.{folder}")
    return Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments)


class _Connection(Connection):  # type: ignore[misc]
    """One that is lost is tried again soon; the library's pauses grow to half a minute, in which a host is idle whose
    broker is back."""

    def ensure_connection(self, *arguments: Any, **options: Any) -> Connection:
        pauses = {"interval_start": 1, "interval_step": 1, "interval_max": LONGEST_PAUSE_S}
        return super().ensure_connection(*arguments, **{**pauses, **options})


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


app = Celery("sms", amqp=_Amqp)
app.conf.update(
    # What is not confirmed may be lost without a word. https://github.com/celery/kombu/issues/2336
    broker_transport_options={"confirm_publish": True},
    broker_connection_timeout=BROKER_WITHIN_S,
    broker_heartbeat=10,  # the default notices after three minutes that a host is cut off
    broker_channel_error_retry=True,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    task_queues=[queue_of()],
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    # Acknowledged when it is done: the order of a worker that was killed is begun elsewhere at once.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,  # or one worker sits on orders while others have nothing
    worker_cancel_long_running_tasks_on_connection_loss=False,  # the database decides, and it may well be there
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
)


app.conf.broker_url = settings.variable("SMS_BROKER_URL") or None  # also for what Celery itself has, as `inspect`


def connect(config: settings.Config) -> None:
    """From here on the application knows its broker. Raises ConfigError where none is set."""
    app.conf.broker_url = config.broker_url


class Publisher:
    """Publishes from one thread, over one connection that is made anew after whatever goes wrong. Nothing that it asks
    of the broker is waited for longer than BROKER_WITHIN_S."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def __call__(self, order: Order, text: str, folder: str) -> None:
        """See Publish."""
        try:
            app.send_task(
                TASKS[type(order)],
                args=[text],
                queue=queue_of(folder),
                expiration=MESSAGE_LASTS_S,
                retry=False,
                connection=self._open(),
            )
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go."""
        if self._connection:
            self._connection.collect()
        self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            limits = {"read_timeout": BROKER_WITHIN_S, "write_timeout": BROKER_WITHIN_S}
            self._connection = app.connection_for_write(transport_options=limits)
            self._connection.connect()
        return self._connection


def look(config: settings.Config) -> tuple[str, str, str, bool, str]:
    """The broker's product and version, the name of the queue, whether it is there, and what is different in it from
    what we would make; '' where nothing is. Nothing is made. Raises what the library raises."""
    connect(config)
    queue = queue_of()
    limits = {"read_timeout": BROKER_WITHIN_S, "write_timeout": BROKER_WITHIN_S}
    with app.connection_for_write(transport_options=limits) as connection:
        facts = connection.connect().server_properties
        of = (str(facts.get("product", "")), str(facts.get("version", "")), queue.name)
        try:
            connection.channel().queue_declare(queue.name, passive=True)
        except connection.channel_errors:
            return *of, False, ""
        try:  # which changes nothing where it is there, and is refused where it is another one
            connection.channel().queue_declare(
                queue.name, durable=True, auto_delete=False, arguments=queue.queue_arguments
            )
        except connection.channel_errors as error:
            return *of, True, str(getattr(error, "reply_text", error))
    return *of, True, ""


# ── what a worker does ──────────────────────────────────────────────────────────────────────────────

_worker: "Worker | None" = None
_heart: Heart | None = None


def _carry_out(text: str) -> None:
    if _worker is None:
        raise RuntimeError("a task runs in a worker alone")
    _worker.carry_out(text)


for _name in TASKS.values():
    app.task(name=_name)(_carry_out)


def _begin(**_: Any) -> None:
    """Before anything else of a worker: its settings, and what all its processes have in common."""
    global _worker  # noqa: PLW0603  Celery has no place of its own for what a worker holds
    settings.tune_numpy()
    from app.runners.worker import Worker  # noqa: PLC0415  which imports numpy

    try:
        config = settings.load()
        connect(config)
        _worker = Worker(config)
    except AppError as error:
        console.err.print(english().word_error(error))
        os._exit(2)  # Celery would say it with a traceback


def _listen(instance: Any, **_: Any) -> None:
    if _worker and _worker.folder:
        for each in (ANY_FOLDER, _worker.folder):
            instance.app.amqp.queues.select_add(queue_of(each))


def _calm(record: logging.LogRecord) -> bool:
    """A broker that goes away is no more than a warning, and needs no traceback: an order that cannot be acknowledged
    comes again, and is refused."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (OSError, RecoverableConnectionError)):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _set_up_log(**_: Any) -> None:
    """In our way. That somebody listens keeps Celery from its own."""
    if _worker:
        log_lines.set_up(_worker.config.sms_log_format)
        for each in ("celery.worker.request", "celery.worker.consumer.consumer"):
            logging.getLogger(each).addFilter(_calm)
        for each in ("celery.worker.strategy", "celery.app.trace"):  # two lines for each order, in its own words
            logging.getLogger(each).setLevel(logging.WARNING)


def _ready(sender: Any, **_: Any) -> None:
    global _heart  # noqa: PLW0603
    if _worker:
        database = open_configured(_worker.config, patience=Patience(3, 3))
        places = sender.controller.concurrency
        of = (_worker.config.host_id, hosts.WORKER, places, lambda: len(state.active_requests))
        _heart = Heart(database, *of, beside=partial(_worker.cut_back, database), folder=_worker.folder)
        _heart.start()


def _stop(**_: Any) -> None:
    """SIGTERM: every task ends within a chunk or a page, and says how far it got."""
    if _worker:
        _worker.stop()


def _end(**_: Any) -> None:
    if _heart:
        _heart.stop()


signals.celeryd_init.connect(_begin)
signals.celeryd_after_setup.connect(_listen)
signals.setup_logging.connect(_set_up_log)
signals.worker_ready.connect(_ready)
signals.worker_shutting_down.connect(_stop)
signals.worker_shutdown.connect(_end)
