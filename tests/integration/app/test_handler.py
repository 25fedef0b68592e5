"""What becomes of a request in the process that got it."""

import asyncio

import pytest
from pydantic import SecretStr

from app import config
from app.access.keyring import Keyring
from app.trigger import answers, requests
from app.trigger.handler import Handler


class Server:
    """What a handler asks of the engine's."""

    def __init__(self):
        self.sent, self.closed = [], []

    def send(self, fd, data):
        self.sent.append((fd, data))

    def close(self, fd):
        self.closed.append(fd)


async def asked(server, database, body):
    handler = Handler(
        server,
        config.load(),
        Keyring(database, SecretStr(""), lambda: SecretStr("")),
        database,
        networks={},
        changed=lambda _: None,
        nudge=lambda: None,
    )
    handler.connect(7)
    try:
        await handler.receive(7, len(body).to_bytes(requests.HEADER_BYTES) + body)
    finally:
        handler.stop()


def test_a_client_whose_request_cannot_even_be_answered_is_disconnected(sqlite, monkeypatch):
    monkeypatch.setattr(answers, "refused", lambda *_, **__: 1 / 0)
    server = Server()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(asked(server, sqlite, b'{"what": 1}'))

    assert (server.sent, server.closed) == ([], [7])
