"""Orders that another release left in the queue are read, or dropped with a word; the campaign is exact either way."""

import pytest
import sysv_ipc

from engine import ftok
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, expected_logs, logs_of, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.waiting import until

SIZE = 10
SHARDS = 4
CROWD = crowd(SIZE * SHARDS)
NAME = "spring"
DROPPED = "order is not known here, dropped"


@pytest.fixture
def killed(sqlite_url, tmp_path):
    """A server that was killed before its task worker could take the first order, which is in the queue."""
    settings = {"worker_num": 1, "task_worker_num": 1, "shard_size": SIZE}
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, **settings) as product:
        move_in(product.database, CROWD)
        product.start()
        product.child("sms: task worker 0").suspend()
        product.ask(f'{{"campaign": "{NAME}", "allow_duplicates": true}}')
        queue = queue_of(product)
        until(lambda: queue.current_messages > 0, within_s=WITHIN_S, what="an order is in the queue")
        product.ask('{"stats": true}')  # the event worker, once it has noted that the order is out of its own hands
        product.kill_everything()
        yield product


def queue_of(product: Product) -> sysv_ipc.MessageQueue:
    return sysv_ipc.MessageQueue(ftok(str(product.logs), 1))


def change_queue(product: Product, change) -> int:
    """Each message that waits there becomes another one; how many there were."""
    queue = queue_of(product)
    found = [queue.receive(block=False) for _ in range(queue.current_messages)]
    for body, kind in found:
        queue.send(change(body), type=kind)
    return len(found)


def test_orders_in_the_queue_are_plain_data(killed):
    bodies: list[bytes] = []

    def note(body: bytes) -> bytes:
        bodies.append(body)
        return body

    change_queue(killed, note)
    killed.start()

    assert killed.wait_until_over(NAME) == "finished"
    assert bodies
    assert all(b'{"kind": "shard", "version": 1, ' in each for each in bodies)
    assert DROPPED not in killed.said()


def test_an_order_of_a_version_that_is_not_known_is_dropped_with_a_word_and_its_shard_is_sent(killed):
    changed = change_queue(killed, lambda body: body.replace(b'"version": 1', b'"version": 9'))
    killed.start()

    assert killed.wait_until_over(NAME) == "finished"
    assert killed.said().count(f"{DROPPED} kind=shard version=9") == changed > 0
    assert logs_of(killed.logs, NAME) == expected_logs(CROWD, SIZE)
