"""What a real server says to frames that it cannot understand or obey, and that it lives on."""

import json
import struct

import pytest

from tests.integration.app.serving import Product

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
        (b'{"campaign":' + b"[" * 100_000, "bad_json"),
        (b'{"campaign": "../x"}', "bad_name"),
        (b'{"campaign": "\\ud842"}', "bad_name"),
        (b'{"campaign": "x", "template": "{town}"}', "bad_template"),
        (b'{"campaign": "x", "template": "\\ud842"}', "bad_template"),
        (b'{"campaign": "x", "template": "{name}\\u0000"}', "bad_template"),
        (b'{"campaign": "x", "template": "' + b"x" * 100_000 + b'"}', "bad_template"),
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
    [b"", b"\xff\xfe", b"../../etc/passwd", b".", b"a/b", b"a\nb", b"a\0b", "🎉".encode(), b"x" * 65, b"x" * 2_000_000],
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
    assert {each.name for each in server.logs.iterdir()} - {each.name for each in before} <= {ALIVE}


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 3 * 2**20)])
def test_an_over_long_frame_closes_the_connection_and_the_server_lives_on(server, head):
    with server.client() as client:
        client.send_raw(head)
        assert client.read_line() == ""

    assert_alive(server)


def test_a_client_that_breaks_off_in_the_middle_of_a_frame_disturbs_nobody(server):
    with server.client() as client:
        client.send_raw(struct.pack(">I", 100) + b"half")

    assert_alive(server)
