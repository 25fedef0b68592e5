"""Who asks waits for no connection to the database; where somebody does after all, they get a sentence."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient

from app import log_lines, threads
from app.access import tokens
from app.cli import web
from app.domain.rights import Scope
from app.store.database import MOST_CONNECTIONS
from app.web import application, server
from app.web.house import CONNECTIONS

WITH_THEIR_OWN = {"doctor", "reports"}
made_of = application.make_application
OF_A_TRIAL = 3
"""What it notes, its lease, and receipts that come meanwhile."""
INBOXES = 4
"""Gateways whose provider sends receipts by itself; more than anybody has of Twilio's."""


def test_each_thread_of_the_web_process_may_have_a_connection(settings, database, monkeypatch):
    counts, opened = {}, []

    def counted(count, thread_name_prefix):
        counts[thread_name_prefix] = count
        return ThreadPoolExecutor(count, thread_name_prefix)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", counted)
    monkeypatch.setattr(log_lines, "set_up", lambda _: None)
    monkeypatch.setattr(server, "serve", lambda *_, **__: None)
    monkeypatch.setattr(application, "make_application", lambda _, its: opened.append(its))

    web.web()
    with TestClient(made_of(settings, opened[0])):
        asking = sum(count for purpose, count in counts.items() if purpose not in WITH_THEIR_OWN)

    assert asking + OF_A_TRIAL + INBOXES <= CONNECTIONS
    assert opened[0].pool.size() + opened[0].pool._max_overflow == CONNECTIONS


@pytest.mark.parametrize("path", ["/", "/health/ready", "/api/v1/campaigns"])
def test_where_every_connection_is_in_use_who_asks_is_told_to_come_again(client, database, caplog, path):
    token = tokens.add(database, "program", [Scope.READ], None)
    asked = {"authorization": f"Bearer {token}", "accept-language": "en"}
    database.pool._timeout = 0.01

    with ExitStack() as held:
        for _ in range(MOST_CONNECTIONS):
            held.enter_context(database.connect())
        crowded = client.get(path, headers=asked)
    client.app.state.house.looks.forget()
    free = client.get(path, headers=asked)

    assert (crowded.status_code, free.status_code) == (503, 200)
    assert "all connections of this process to the database" in crowded.json()["detail"]
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or each.exc_info]
