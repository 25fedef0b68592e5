"""What a client of the real server sends, and what comes back."""

import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.integration.app.conftest import CROWD, SHARD_SIZE
from tests.integration.app.people import expected_logs, logs_of
from tests.integration.app.serving import WITHIN_S

ACCEPTED = "分发任务给了task0,1,2,3执行,您将收到短信提醒"
TUTORIALS_FRAME = struct.pack(">I", 1) + b"a"


# ── plain text and JSON ─────────────────────────────────────────────────────────────────────────


def test_plain_text_is_answered_in_the_tutorials_words(server):
    with server.client() as client:
        client.send("朴素")
        client.send("朴素")
        answers = [client.read_line(), client.read_line()]

    assert answers[0] == ACCEPTED
    assert answers[1].startswith("任务朴素已存在,状态: ")


def test_an_object_is_answered_by_an_object(server):
    first, second = (json.loads(server.ask('{"campaign": "对象"}')) for _ in range(2))

    assert (first["ok"], first["created"], first["campaign"]) == (True, True, "对象")
    assert first["tasks"] == second["tasks"] == [0, 1, 2, 3]
    assert first["message"] == ACCEPTED
    assert (second["ok"], second["created"]) == (True, False)
    assert second["message"].startswith("任务对象已存在")


def test_a_name_in_another_spelling_is_the_same_campaign(server):
    assert server.ask("e\u0301te\u0301").startswith("分发任务")
    assert server.ask("été").startswith("任务été已存在")


def test_a_finished_campaign_says_so(server):
    server.ask("到了最后")
    server.wait_until_over("到了最后")

    assert server.ask("到了最后") == "任务到了最后已存在,状态: finished"


@pytest.mark.alone(reason="the answer is to come within a second")
def test_the_answer_does_not_wait_for_the_messages(server):
    server.ask("热身")
    began = time.monotonic()

    server.ask("快答")

    assert time.monotonic() - began < 1.0


def test_a_client_may_send_byte_by_byte(server):
    with server.client() as client:
        for byte in struct.pack(">I", 6) + "慢慢".encode():
            client.send_raw(bytes([byte]))
        assert client.read_line().startswith("分发任务")


def test_a_client_that_has_said_its_last_word_still_gets_the_answer(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=WITHIN_S) as connection:
        connection.sendall(struct.pack(">I", 6) + "再见".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    assert answer.decode() == f"{ACCEPTED}\n"


# ── the same name again ─────────────────────────────────────────────────────────────────────────


def test_two_triggers_of_one_name_at_the_same_moment_are_one_campaign(running):
    start = Barrier(2, timeout=WITHIN_S)

    def trigger(name: str) -> str:
        with running.client() as client:
            start.wait()
            client.send(name)
            return client.read_line()

    names = [f"同时{number}" for number in range(5)]
    with ThreadPoolExecutor(2) as threads:
        answers = {name: sorted(threads.map(trigger, [name, name])) for name in names}

    for name, (again, first) in answers.items():
        assert first == ACCEPTED
        assert again.startswith(f"任务{name}已存在,状态: ")
        assert running.wait_until_over(name) == "finished"
        assert logs_of(running.logs, name) == expected_logs(CROWD, SHARD_SIZE)
    assert running.count_campaigns() == len(names)


def test_the_tutorials_own_client_makes_one_campaign_with_its_hundred_frames(running):
    with running.client() as client:
        for _ in range(100):
            client.send_raw(TUTORIALS_FRAME)
        answers = [client.read_line() for _ in range(100)]

    assert answers[0] == ACCEPTED
    assert all(each.startswith("任务a已存在,状态: ") for each in answers[1:])
    assert running.count_campaigns() == 1
    assert running.wait_until_over("a") == "finished"
    assert logs_of(running.logs, "a") == expected_logs(CROWD, SHARD_SIZE)


def test_answers_come_in_the_order_of_the_requests(server):
    names = [f"按顺序{number}" for number in range(20)]

    with server.client() as client:
        client.send_raw(b"".join(struct.pack(">I", len(each.encode())) + each.encode() for each in (*names, *names)))
        answers = [client.read_line() for _ in range(40)]

    assert all(each.startswith("分发任务") for each in answers[:20])
    assert [each.split(",")[0] for each in answers[20:]] == [f"任务{name}已存在" for name in names]


def test_a_hundred_frames_in_one_packet_are_a_hundred_answers(server):
    with server.client() as client:
        client.send_raw(TUTORIALS_FRAME * 100)
        answers = [client.read_line() for _ in range(100)]

    assert sum(each.startswith("分发任务") for each in answers) == 1


def test_a_request_that_names_no_template_finds_a_campaign_with_any(server):
    server.ask('{"campaign": "自己的短信", "template": "{name}好"}')

    assert server.ask("自己的短信").startswith("任务自己的短信已存在,状态: ")


def test_the_same_name_for_another_message_is_refused(server):
    server.ask('{"campaign": "换了短信", "template": "{name}好"}')

    other = json.loads(server.ask('{"campaign": "换了短信", "template": "{name}您好"}'))
    same = json.loads(server.ask('{"campaign": "换了短信", "template": "{name}好"}'))

    assert (other["ok"], other["error"], other["message"]) == (False, "other_template", "名称已用于另一条短信")
    assert (same["ok"], same["created"]) == (True, False)
