"""`python -m app trigger`: what it prints, and how it ends, whatever answers it. In this process."""

import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from app.cli import trigger as commands
from app.domain.campaign import State
from tests.integration.app.serving import WITHIN_S


@pytest.mark.parametrize("command", ["trigger", "status", "report"])
@pytest.mark.parametrize("name", ["../etc", ".hidden", "a/b", "🎉", "x" * 65])
def test_a_name_that_cannot_be_is_refused(app, command, name):
    app(command, name).assert_refused("a campaign's name ")


def test_a_trigger_without_a_server_is_refused_with_what_to_do(app):
    app("trigger", "a").assert_refused("no answer from 127.0.0.1:", "python -m app serve")


def test_an_empty_template_is_refused_and_not_taken_for_none(app, server, monkeypatch):
    monkeypatch.setenv("SMS_PORT", str(server.port))
    app("trigger", "a", "--template", "").assert_refused("the template is empty")
    app("preview", "--template", "").assert_refused("the template is empty")


@contextmanager
def answering(
    monkeypatch: pytest.MonkeyPatch, *answers: bytes | Event | float, then: Sequence[bytes] = ()
) -> Iterator[None]:
    """Somebody listens who sends these bytes to the first client, waits for the events and so many seconds, and hangs
    up. To each of the next clients one piece of `then`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("SMS_PORT", str(listener.getsockname()[1]))
        listener.settimeout(WITHIN_S)

        def serve() -> None:
            for each in (answers, *([piece] for piece in then)):
                _serve(listener, each)

        thread = Thread(target=serve)
        thread.start()
        yield
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def _serve(listener: socket.socket, answers: Iterable[bytes | Event | float]) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(1000)
        for each in answers:
            if isinstance(each, Event):
                each.wait(WITHIN_S)
            elif isinstance(each, float):
                Event().wait(each)
            else:
                client.sendall(each)


ACCEPTED = b'{"ok": true, "created": true, "campaign": "a", "state": "running", "tasks": [0], "message": "gone out"}\n'
FORBIDDEN = (
    "the server requires a token, and this command did not send the right one; "
    "set SMS_TRIGGER_TOKEN or SMS_TRIGGER_TOKEN_FILE to the server's"
)
HAS_BEGUN = "a has begun, as task 0"


def progress(state: State, reason: str = "") -> bytes:
    task = {"task": 0, "sent": 5, "done": 5, "of": 10, "finished": False}
    facts = {"campaign": "a", "state": state, "reason": reason, "sent": 5, "tasks": [task], "message": "…"}
    return json.dumps(facts).encode() + b"\n"


def test_a_trigger_ends_when_the_server_has_accepted(app, monkeypatch):
    with answering(monkeypatch, ACCEPTED):
        ended = app("trigger", "a")

    assert (ended.code, ended.out, ended.err) == (0, f"{HAS_BEGUN}\n", "")


def test_a_trigger_that_is_refused_says_why_as_an_error(app, monkeypatch):
    with answering(monkeypatch, '{"ok": false, "error": "x", "message": "名称已用于另一条短信"}\n'.encode()):
        ended = app("trigger", "a")

    assert (ended.code, ended.out, ended.err) == (1, "", "error: 名称已用于另一条短信\n")


@pytest.mark.parametrize(("state", "code"), [(State.FINISHED, 0), (State.FAILED, 1)])
def test_a_watched_trigger_ends_with_its_campaign(app, monkeypatch, state, code):
    with answering(monkeypatch, ACCEPTED, progress(State.RUNNING), progress(state, "that is why")):
        ended = app("trigger", "a", "--watch")

    assert ended.code == code
    assert ended.out.splitlines() == [
        HAS_BEGUN,
        "a: running, 5 sent, 50.0% done",
        f"a: {state}, 5 sent, 50.0% done",
        "that is why",
    ]


def test_a_watcher_waits_longer_for_a_change_than_a_trigger_for_its_answer(app, monkeypatch):
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 0.1)

    with answering(monkeypatch, ACCEPTED, 0.5, progress(State.FINISHED)):
        ended = app("trigger", "a", "--watch")

    assert (ended.code, ended.err) == (0, "")


def test_a_server_that_does_not_answer_in_time_is_not_waited_for(app, monkeypatch):
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 0.1)

    gone = Event()
    with answering(monkeypatch, gone, ACCEPTED):
        ended = app("trigger", "a")
        gone.set()

    ended.assert_refused("no answer from")


def test_a_server_that_comes_back_while_we_watch_is_asked_again_with_growing_pauses(app, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    there = b'{"ok": true, "created": false, "message": "there already"}\n'

    with answering(monkeypatch, ACCEPTED, progress(State.RUNNING), then=[b"", b"", there + progress(State.FINISHED)]):
        ended = app("trigger", "a", "--watch")

    assert ended.code == 0
    assert ended.out.splitlines() == [HAS_BEGUN, "a: running, 5 sent, 50.0% done", "a: finished, 5 sent, 50.0% done"]
    lost, again, once_more, back = ended.err.splitlines()
    assert lost.startswith("the server closed the connection; the campaign goes on when it is back; trying again in ")
    assert again.startswith("the server closed the connection") and once_more.startswith("the server closed the conn")
    assert back == "the server is back"
    assert len(slept) == 3
    assert slept[0] < slept[1] < slept[2] <= 2.0


def test_a_server_that_closes_before_it_answered_is_an_error(app, monkeypatch):
    with answering(monkeypatch):
        app("trigger", "a", "--watch").assert_refused("closed the connection", "it may have started")


def test_a_server_that_cannot_obey_now_is_asked_again_while_we_watch(app, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    busy = '{"ok": false, "error": "internal", "message": "请稍后再试"}\n'.encode()
    there = b'{"ok": true, "created": false, "message": "there already"}\n'

    with answering(monkeypatch, ACCEPTED, busy, then=[busy, there + progress(State.FINISHED)]):
        ended = app("trigger", "a", "--watch")

    assert ended.code == 0
    assert (
        ended.err.count(
            "the server cannot do this right now; try again later, and check the server's log; trying again in"
        )
        == 2
    )


def test_a_refusal_for_good_while_we_watch_is_said_as_an_error(app, monkeypatch):
    with answering(monkeypatch, ACCEPTED, b'{"ok": false, "error": "forbidden", "message": "no"}\n'):
        ended = app("trigger", "a", "--watch")

    assert (ended.code, ended.out, ended.err) == (1, f"{HAS_BEGUN}\n", f"error: {FORBIDDEN}\n")


def test_who_stops_watching_is_told_that_the_campaign_goes_on(app, monkeypatch):
    def is_interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.WatchView, "show", is_interrupted)

    with answering(monkeypatch, ACCEPTED, progress(State.RUNNING)):
        ended = app("trigger", "a", "--watch")

    assert (ended.code, ended.out) == (130, f"{HAS_BEGUN}\n")
    assert ended.err == "stopped watching; the campaign goes on, see: python -m app status a\n"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 \xff\xfe\r\n", b"[1]\n", b"5\n"])
def test_another_program_at_the_port_is_said_in_one_line(app, monkeypatch, answer):
    with answering(monkeypatch, answer):
        app("trigger", "a").assert_refused("127.0.0.1:")


@pytest.mark.parametrize(
    "line",
    [
        b'{"message": "hello"}\n',
        b'{"message": "hello", "state": "asleep", "tasks": [], "sent": 0}\n',
        b'{"message": "hello", "state": "running", "tasks": 5, "sent": 0}\n',
        b'{"message": "hello", "state": "finished", "campaign": "a", "tasks": [], "sent": 0}\n',
        b"hello\n",
        b"\xff\n",
    ],
    ids=["no state", "an unknown state", "no list of tasks", "an end without a reason", "no JSON", "no UTF-8"],
)
def test_a_watcher_who_is_told_what_is_no_progress_says_so_in_one_line(app, monkeypatch, line):
    with answering(monkeypatch, ACCEPTED, line):
        ended = app("trigger", "a", "--watch")

    assert ended.code == 1
    assert ended.err.startswith("error: what answers at 127.0.0.1:")
    assert ended.err.endswith(" is not our server; see SMS_HOST and SMS_PORT\n")
    assert ended.err.count("\n") == 1
