"""The web process's application behind a real port, in a thread of the test."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fastapi import FastAPI

from app.web.server import WebServer
from tests.waiting import until


class _Server(WebServer):
    """The test has the signals."""

    def capture_signals(self):
        return nullcontext()


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """In a thread of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = _Server(app)
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            until(lambda: server.started, what="the server is there")
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
