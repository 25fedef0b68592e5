"""What Celery is told, and why is beside each: a setting that is lost loses messages only when something dies."""

import logging

import pytest
from amqp.exceptions import RecoverableConnectionError
from kombu import Connection

from app import config
from app.domain.orders import CensusOrder, PrepareOrder, ShardOrder
from app.errors import ConfigError
from app.runners import celery
from app.runners.base import ANY_FOLDER
from app.runners.celery import app, queue_of

URL = "amqp://sms:s3cret-word@127.0.0.1:5672/sms"


def test_an_order_whose_worker_dies_goes_back_and_no_worker_hoards_any():
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert not app.conf.worker_cancel_long_running_tasks_on_connection_loss


def test_a_worker_that_lost_its_broker_tries_again_every_few_seconds_for_ever(monkeypatch):
    pauses = {}
    monkeypatch.setattr(Connection, "_ensure_connection", lambda _, *given, **options: pauses.update(options))

    app.connection_for_read(URL).ensure_connection(None, app.conf.broker_connection_max_retries, callback=None)

    assert pauses["interval_start"] <= pauses["interval_max"] <= 5
    assert app.conf.broker_connection_max_retries is None


def test_messages_are_confirmed_and_queues_outlive_a_crash_without_a_limit_of_deliveries():
    assert app.conf.broker_transport_options == {"confirm_publish": True}
    for queue in (*app.conf.task_queues, queue_of("folder")):
        assert queue.queue_arguments == {"x-queue-type": "quorum", "x-delivery-limit": -1}
    assert [each.name for each in app.conf.task_queues] == ["sms.shards"]
    assert queue_of(ANY_FOLDER).name == "sms.logs"
    assert queue_of("folder").name == queue_of("folder").routing_key == "sms.logs.folder"


def test_a_broker_that_is_away_is_tried_for_ever_and_a_host_that_is_cut_off_is_noticed_soon():
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry_on_startup
    assert app.conf.broker_channel_error_retry
    assert app.conf.broker_heartbeat == 10


def test_nothing_is_kept_or_read_but_json():
    assert app.conf.task_ignore_result
    assert app.conf.accept_content == ["json"]


def test_every_kind_of_order_has_its_task():
    assert {ShardOrder: "sms.slice", PrepareOrder: "sms.prepare", CensusOrder: "sms.census"} == celery.TASKS
    assert set(celery.TASKS.values()) <= set(app.tasks)


def test_the_brokers_password_is_never_shown(monkeypatch):
    monkeypatch.setenv("SMS_BROKER_URL", URL)
    settings = config.load()
    before = app.conf.broker_url
    celery.connect(settings)
    said = (
        f"{settings!r} {settings} {app.conf.humanize(with_defaults=True, censored=True)} {app.connection_for_write()}"
    )
    app.conf.broker_url = before

    assert "s3cret-word" not in said
    assert settings.broker_url == URL


def test_without_a_broker_it_says_which_setting_is_missing(monkeypatch):
    monkeypatch.setenv("SMS_BROKER_URL", "")

    with pytest.raises(ConfigError) as raised:
        celery.connect(config.load())

    assert [each.code for each in raised.value.problems] == ["setting.no_broker"]


@pytest.mark.parametrize(
    ("error", "level", "has_traceback"),
    [
        (RecoverableConnectionError("connection already closed"), "WARNING", False),
        (ConnectionResetError(104, "reset"), "WARNING", False),
        (ValueError("ours"), "CRITICAL", True),
    ],
)
def test_a_broker_that_goes_away_is_a_warning_without_a_traceback_and_nothing_else_is(error, level, has_traceback):
    record = logging.LogRecord("celery", logging.CRITICAL, "", 1, "Couldn't ack", (), (type(error), error, None))

    assert celery._calm(record)

    assert (record.levelname, record.exc_info is not None) == (level, has_traceback)
