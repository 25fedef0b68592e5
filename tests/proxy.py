"""A way to a database server that a test can cut, or have swallow everything without a word, and mend again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import make_url

CONNECT_WITHIN_S = 2.0


class Proxy:
    """Listens on a port of its own and passes everything on, both ways, unless it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._mute: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.refused = 0
        """Connections that came while it was cut."""
        self.swallowed = 0
        """Connections that came while it swallowed."""
        self._is_cut = False
        self._swallows = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close every connection, and each new one at once, as a server does that is gone."""
        with self._lock:
            self._is_cut = True
            for each in self._pairs:
                _hang_up(*each)
            self._pairs.clear()

    def swallow(self) -> None:
        """Take what comes and pass nothing on, as a host does that vanished. Connections of this time stay mute: their
        bytes are lost."""
        with self._lock:
            self._swallows = True
            for each in self._pairs:
                self._mute.update(each)

    def mend(self) -> None:
        """Let through again what comes from now on."""
        with self._lock:
            self._is_cut = self._swallows = False

    def move(self, host: str, port: int) -> None:
        """From now on it leads there; who is connected stays so, as with a name that is another host's now."""
        with self._lock:
            self._to = (host, port)

    def close(self) -> None:
        self.cut()
        _hang_up(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    self.refused += 1
                    client.close()
                    continue
                if self._swallows:
                    self.swallowed += 1
                    self._pairs.append((client, client))
                    continue
                try:
                    server = socket.create_connection(self._to, CONNECT_WITHIN_S)
                except OSError:  # nobody is there
                    self.refused += 1
                    client.close()
                    continue
                server.settimeout(None)
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source not in self._mute:
                    sink.sendall(data)
        if source not in self._mute:
            _hang_up(source, sink)


def _hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def proxied(url: str) -> Iterator[tuple[str, Proxy]]:
    """The address of the database by way of a proxy, and the proxy."""
    address = make_url(url)
    assert address.host
    assert address.port
    proxy = Proxy(address.host, address.port)
    try:
        yield address.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False), proxy
    finally:
        proxy.close()
