"""What a real server says to frames that it cannot understand or obey, and that it lives on."""

import json
import struct
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from app.campaigns.control import control
from app.domain.campaign import Verb
from app.store import tables
from tests.integration.app.campaigns import trigger, with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product, changed
from tests.waiting import until

ALIVE = "服务器还活着"


def assert_alive(server: Product) -> None:
    assert "任务" in server.ask(ALIVE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"campaign": "x"', "bad_json"),
        (b'{"campaign": "x", "speed": 1}', "unknown_field"),
        (b'{"campaign": 5}', "bad_field"),
        (b'{"campaign": "\xff"}', "bad_utf8"),
        (b'{"campaign":' + b"[" * 60_000, "bad_json"),
        (b'{"campaign": "../x"}', "bad_name"),
        (b'{"campaign": "\\ud842"}', "bad_name"),
        (b'{"campaign": "x", "template": "{town}"}', "bad_template"),
        (b'{"campaign": "x", "template": "\\ud842"}', "bad_template"),
        (b'{"campaign": "x", "template": "{name}\\u0000"}', "bad_template"),
        (b'{"campaign": "x", "template": "' + b"x" * 60_000 + b'"}', "bad_template"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else value,
)
def test_a_bad_object_is_refused_in_one_line_and_the_connection_lives_on(server, body, code):
    with server.client() as client:
        client.send(body)
        answer = json.loads(client.read_line())
        client.send(ALIVE)
        next_answer = client.read_line()

    assert (answer["ok"], answer["error"]) == (False, code)
    assert answer["message"]
    assert "任务" in next_answer


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"../../etc/passwd", b".", b"a/b", b"a\nb", b"a\0b", "🎉".encode(), b"x" * 65, b"x" * 65_532],
    ids=lambda value: repr(value[:20]),
)
def test_a_bad_name_is_refused_in_one_plain_line_and_becomes_no_folder(server, body):
    before = sorted(server.logs.iterdir())

    with server.client() as client:
        client.send(body)
        answer = client.read_line()
        client.send(ALIVE)
        next_answer = client.read_line()

    assert answer.startswith(("任务名", "请求不是"))
    assert "任务" in next_answer
    made = {each.name for each in server.logs.iterdir()} - {each.name for each in before}
    with server.database.connect() as connection:  # those of tests before this one may have their first message now
        campaigns = set(connection.scalars(sa.select(tables.campaigns.c.name)))
    assert {name for name in made if not name.startswith(".")} <= campaigns  # a dot: the server's own, for a while


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 65_533)])
def test_an_over_long_frame_closes_the_connection_and_the_server_lives_on(server, head):
    with server.client() as client:
        client.send_raw(head)
        assert client.read_line() == ""

    assert_alive(server)


def test_half_a_request_is_waited_for_some_seconds_and_then_closed(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.program = changed("app.runners.engine", FRAME_WITHIN_S=0.1)
        product.start()
        with product.client() as client:
            client.send_raw(struct.pack(">I", 60_000) + b"x" * 30_000)
            assert client.read_line() == ""

        said = "connection closed, frame was not complete in time"
        until(lambda: said in product.said(), what="the server says why")


def test_a_connection_over_which_nothing_is_asked_is_closed_and_one_that_watches_is_not(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.program = changed("app.trigger.idle", IDLE_S=3.0, LOOK_EVERY_S=0.02)
        move_in(product.database, crowd(1))
        trigger(product.database, "停着", 10)
        control(product.database, product.logs, "停着", Verb.PAUSE)
        product.start()
        with ExitStack() as stack:
            watcher = stack.enter_context(product.client())
            watcher.send('{"watch": "停着"}')
            watcher.read_line()
            asked = stack.enter_context(product.client())
            asked.send("停着")
            answer = asked.read_line()
            idle = stack.enter_context(product.client())
            last_lines = [idle.read_line(), asked.read_line()]
            product.run("cancel", "停着")
            states = [json.loads(each)["state"] for each in watcher.lines()]

        assert answer == "任务停着已存在,状态: paused,用resume继续"
        assert last_lines == ["", ""]
        assert list(dict.fromkeys(states)) == ["paused", "cancelled"]  # the first comes again where it takes long


def test_one_connection_too_many_is_refused_and_served_when_another_is_gone(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        product.program = changed("app.runners.engine", MOST_CONNECTIONS=1)
        product.start()
        with product.client() as first:
            first.send("a")
            answer = first.read_line()
            with product.client() as second:
                refused = second.read_line()

        until(lambda: is_answered(product, "b"), what="there is room again")
        assert answer.startswith("没有客户")
        assert refused == ""


def is_answered(product: Product, body: str) -> bool:
    try:
        return product.ask(body) != ""
    except OSError:
        return False


def test_a_client_that_breaks_off_in_the_middle_of_a_frame_disturbs_nobody(server):
    with server.client() as client:
        client.send_raw(struct.pack(">I", 100) + b"half")

    assert_alive(server)
