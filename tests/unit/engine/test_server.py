"""engine/server.py: what a program gets wrong is said in one sentence, before anything is started."""

import threading
from typing import Any

import pytest

from engine import Server, Settings, StartError, UsageError
from engine.events import IN_MANAGER, Events
from engine.supervisor import Supervisor


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((5, 9501), "host is 5"),
        (("127.0.0.1", "9501"), "port is '9501'"),
        (("127.0.0.1", True), "port is True"),
        (("127.0.0.1", 65_536), "port is 65536"),
        (("127.0.0.1", 0, {"worker_num": 1}), "settings is "),
    ],
)
def test_a_server_says_what_it_was_given_wrong(given: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Server(*given)


@pytest.mark.parametrize("event", IN_MANAGER)
def test_a_coroutine_where_no_event_loop_runs_is_refused(event: str) -> None:
    server = Server("127.0.0.1", 0)
    server.on("receive", lambda *_: None)

    @server.on(event)
    async def callback(*_: object) -> None: ...

    with pytest.raises(UsageError, match=f"the callback of {event} is async def"):
        server.start()


def test_a_server_cannot_be_started_in_a_thread_that_gets_no_signals() -> None:
    server = Server("127.0.0.1", 0, Settings(task_worker_num=0))
    said: list[Exception] = []

    def start() -> None:
        try:
            server.start()
        except UsageError as error:
            said.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(10)

    assert [str(each).partition(",")[0] for each in said] == ["start() belongs into the main thread"]


def test_one_run_is_over_once_it_ended_whichever_way() -> None:
    """Then the server may be started again."""
    server = Server("127.0.0.1", 0, Settings(ssl_cert_file="/nowhere", ssl_key_file="/nowhere"))
    supervisor = Supervisor(server, server.settings, Events(), {})

    with pytest.raises(StartError):
        supervisor.run()

    supervisor.refuse_start()
