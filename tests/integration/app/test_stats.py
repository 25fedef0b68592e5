"""The server in numbers, by its port."""

import json

import pytest

from app import config
from app.errors import ServerUnreachable
from app.trigger import server_stats
from app.trigger.server_stats import ask_stats
from tests.integration.app.serving import WITHIN_S
from tests.ports import free_port
from tests.waiting import until


def test_the_server_says_how_many_work_and_how_many_tasks_wait(server):
    answer = until(lambda: idle(json.loads(server.ask('{"stats": true}'))), what="the tasks of other tests are over")

    assert answer["ok"]
    assert {each["state"] for each in answer["stats"]["task_workers"]} <= {"idle", "busy", "starting"}
    assert len(answer["stats"]["task_workers"]) == 4
    assert "4个任务进程" in answer["message"]


def idle(answer: dict) -> dict | None:
    """The answer of a server at which no task waits."""
    return answer if answer["stats"]["tasks_waiting"] == 0 else None


@pytest.mark.parametrize("body", ['{"stats": 1}', '{"stats": false}', '{"stats": true, "campaign": "spring"}'])
def test_nothing_else_is_asked_for_with_it(server, body):
    assert json.loads(server.ask(body))["error"] in {"bad_field", "unknown_field"}


def test_a_program_has_them_as_numbers(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setattr(server_stats, "WITHIN_S", WITHIN_S)

    def asked():
        found = ask_stats(config.load())
        return found if found.tasks_waiting == 0 else None

    stats = until(asked, what="the tasks of other tests are over")

    assert sum(stats.task_workers.values()) == 4
    assert (stats.tasks_waiting, stats.oldest_waiting_s) == (0, None)
    assert stats.resident_bytes > 1_000_000


def test_a_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("SMS_PORT", str(free_port()))

    with pytest.raises(ServerUnreachable):
        ask_stats(config.load())
