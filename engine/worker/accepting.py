"""Takes new clients from the port that all event workers share, and gives each a connection."""

import asyncio
import errno
import logging
import socket
import ssl
from typing import Protocol

from engine.worker.clients import Clients
from engine.worker.connection import Connection

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0
"""A client that wants TLS must have agreed on it in this time."""
_REST_S = 0.5
"""How long nobody is accepted after the process ran out of what a connection needs."""
_RAN_OUT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Accepting(Protocol):
    """A port that is open to clients."""

    def close(self) -> None:
        """Accept no more."""


async def accept(
    listener: socket.socket, clients: Clients, backlog: int, tls: ssl.SSLContext | None = None
) -> Accepting:
    """Open the port."""
    loop = asyncio.get_running_loop()
    if tls is not None:
        return TlsPort(loop, listener, clients, tls)
    return await loop.create_server(lambda: Connection(clients), sock=listener, backlog=backlog)


class TlsPort:
    """Accepts clients and shakes hands with them, with no more at once than may be connected.

    Not `create_server(ssl=…)`: it tells nobody of a handshake that failed, or whose.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, clients: Clients, tls: ssl.SSLContext
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._clients = clients
        self._tls = tls
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = loop.create_task(self._accept())

    def close(self) -> None:
        self._accepting.cancel()
        for each in self._handshakes:
            each.cancel()
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            try:
                client, address = await self._loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("a client could not be accepted", extra={"reason": str(error)})
                if error.errno in _RAN_OUT:
                    await asyncio.sleep(_REST_S)
                continue
            peer = f"{address[0]}:{address[1]}"
            if self._clients.is_full or len(self._handshakes) >= self._clients.settings.max_conn:
                self._clients.refuse(peer)
                client.close()
                continue
            task = self._loop.create_task(self._shake_hands(client, peer))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, client: socket.socket, peer: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self._clients), client, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:  # SSLError is one, and so is what a time limit raises
            log.warning("TLS handshake failed", extra={"peer": peer, "reason": str(error) or type(error).__name__})
