"""Accepts clients from the port that all event workers share, and makes a connection for each."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Collection
from typing import Protocol

from engine.log_lines import Few, get_logger
from engine.worker.clients import Clients
from engine.worker.connection import Connection

few = Few(get_logger(__name__))

HANDSHAKE_S = 10.0
"""A client that wants TLS must have agreed on it in this time."""
_REST_S = 0.5
"""How long nobody is accepted after the process ran out of file descriptors or memory."""
_RAN_OUT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Accepting(Protocol):
    """A port that is open to clients."""

    @property
    def handshakes(self) -> Collection[object]:
        """TLS handshakes that are not done."""

    def close(self) -> None:
        """Accept no more."""


async def accept(
    listener: socket.socket, clients: Clients, backlog: int, tls: ssl.SSLContext | None = None
) -> Accepting:
    """Begin to accept clients."""
    loop = asyncio.get_running_loop()
    if tls is not None:
        return TlsPort(loop, listener, clients, tls)
    return PlainPort(await loop.create_server(lambda: Connection(clients), sock=listener, backlog=backlog))


class PlainPort:
    """Accepts clients without TLS."""

    handshakes = ()

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    def close(self) -> None:
        self._server.close()


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
        self.handshakes: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._open()

    def _open(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept no more; handshakes under way go on."""
        if self._rest:
            self._rest.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        """Accept one client; while there are more, the loop calls again."""
        try:
            client, address = self._listener.accept()
        except BlockingIOError:
            return  # another event worker was quicker
        except OSError as error:
            few.warning("client could not be accepted", extra={"reason": str(error)})
            if error.errno in _RAN_OUT:
                self._loop.remove_reader(self._listener)
                self._rest = self._loop.call_later(_REST_S, self._open)
            return
        client.setblocking(False)
        peer = f"{address[0]}:{address[1]}"
        if self._clients.is_full or len(self.handshakes) >= self._clients.settings.max_conn:
            self._clients.refuse(peer)
            client.close()
            return
        task = self._loop.create_task(self._shake_hands(client, peer))
        self.handshakes.add(task)
        task.add_done_callback(self.handshakes.discard)

    async def _shake_hands(self, client: socket.socket, peer: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self._clients), client, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:  # SSLError is one, and so is what a time limit raises
            few.warning("TLS handshake failed", extra={"peer": peer, "reason": str(error) or type(error).__name__})
