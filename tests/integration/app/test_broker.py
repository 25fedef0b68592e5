"""What a real RabbitMQ says to us: orders arrive, a queue of another kind is known, nothing is made by a look."""

import json

import pytest
from kombu import Connection

from app import config
from app.domain.orders import CensusOrder, ShardOrder
from app.runners import celery, orders
from app.runners.celery import Publisher

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]  # each process may have to start it, and one again


@pytest.fixture
def settings(broker, monkeypatch):
    """Those of a fleet on an empty broker."""
    monkeypatch.setenv("SMS_RUNNER", "celery")
    monkeypatch.setenv("SMS_BROKER_URL", broker.url)
    with Connection(broker.url) as connection:
        connection.default_channel.queue_delete(celery.QUEUE)
    loaded = config.load()
    before = celery.app.conf.broker_url
    celery.connect(loaded)
    yield loaded
    celery.app.conf.broker_url = before


def test_an_order_is_a_message_that_says_what_it_is(settings, broker):
    publish = Publisher()
    for order in (ShardOrder(7, 3), CensusOrder()):
        publish(order, orders.write(order), "")
    publish(ShardOrder(8, 0), orders.write(ShardOrder(8, 0)), "a-folder")
    publish.close()

    with Connection(broker.url) as connection:
        channel = connection.default_channel
        found = [channel.basic_get(name, no_ack=True) for name in ("sms.shards", "sms.shards", "sms.logs.a-folder")]
        channel.queue_delete("sms.logs.a-folder")
    assert [each.headers["task"] for each in found] == ["sms.slice", "sms.census", "sms.slice"]
    texts = [json.loads(each.body)[0][0] for each in found]
    assert [orders.read_order(each) for each in texts] == [ShardOrder(7, 3), CensusOrder(), ShardOrder(8, 0)]
    assert {each.properties["expiration"] for each in found} == {"60000"}


def test_a_look_tells_whether_the_queue_is_there_and_ours_and_makes_nothing(settings, broker):
    looks = [celery.look(settings), celery.look(settings)]
    Publisher()(CensusOrder(), orders.write(CensusOrder()), "")
    looks.append(celery.look(settings))
    with Connection(broker.url) as connection:
        connection.default_channel.queue_delete(celery.QUEUE)
        connection.default_channel.queue_declare(celery.QUEUE, durable=True, auto_delete=False)
    looks.append(celery.look(settings))

    assert [(each[3], bool(each[4])) for each in looks] == [(False, False), (False, False), (True, False), (True, True)]
    assert looks[0][:3] == ("RabbitMQ", looks[0][1], "sms.shards")
    assert "x-queue-type" in looks[-1][4]


def test_a_publisher_goes_on_after_whatever_went_wrong(settings, broker):
    publish = Publisher()
    publish(CensusOrder(), orders.write(CensusOrder()), "")
    broker.kill()
    broker.wipe()
    with pytest.raises(Exception, match=r"(?i)refused|reset|closed|broken"):
        publish(CensusOrder(), orders.write(CensusOrder()), "")
    broker.start()
    publish(CensusOrder(), orders.write(CensusOrder()), "")
    publish.close()

    with Connection(broker.url) as connection:
        assert connection.default_channel.queue_declare(celery.QUEUE, passive=True).message_count == 1
