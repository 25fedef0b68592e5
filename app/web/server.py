"""Runs the application until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from app.config import Config
from app.errors import ServerUnreachable, Unprotected
from app.trigger.exposure import is_beyond_loopback
from app.web.house import House
from app.web.patience import PatientProtocol
from app.web.seldom import LOGGER, Seldom

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 900
"""At once, below the 1,024 descriptors that a process may have; whoever comes then gets 503."""
STOPS_WITHIN_S = 5
"""Answers under way may take so long once the server is told to stop."""
THREADS_END_WITHIN_S = 3.0
"""What threads have in hand then; together with the answers less than what a container gets."""
WAITING = 512
"""Connections that the kernel holds until they are accepted, some at once."""
DESCRIPTORS = 4_096
"""As many as we may have, where the system allows it: connections are accepted before others make room for them."""


class WebServer(uvicorn.Server):
    """uvicorn's, but for its end: streams are ended before it waits for them, and a stop that was asked for is none
    that a signal caused."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._seldom = Seldom()
        super().__init__(
            uvicorn.Config(
                app,
                http=PatientProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                backlog=WAITING,
                timeout_graceful_shutdown=STOPS_WITHIN_S,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        house = getattr(self._app.state, "house", None)
        if isinstance(house, House):
            house.leave()
        await super().shutdown(sockets)
        self._seldom.say_rest()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        logger = logging.getLogger(LOGGER)
        logger.addFilter(self._seldom)
        try:
            await super().serve(sockets)
        finally:
            logger.removeFilter(self._seldom)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def check_loopback(host: str, published: str = "") -> None:
    """Raises Unprotected: what is spoken here is not encrypted, so nobody but this machine may listen in. In a
    container its own network is as good, where the port is `published` for this machine alone."""
    if published:
        name, _, port = published.rpartition(":")
        if not name or not port.isdecimal() or is_beyond_loopback(name.strip("[]")):
            raise Unprotected("web.published_beyond", published=published)
    elif is_beyond_loopback(host):
        raise Unprotected("web.beyond_loopback", host=host)


def check_reach(settings: Config) -> None:
    """Raises Unprotected: passwords and numbers go to other machines by way of a proxy alone, which speaks TLS."""
    if not settings.sms_web_proxy:
        check_loopback(settings.sms_web_host, settings.sms_web_published)


def check_accounts(settings: Config, *, has_accounts: bool) -> None:
    """Raises Unprotected: as long as there are no accounts, nobody but this machine may look."""
    if settings.sms_web_proxy and not has_accounts:
        raise Unprotected("web.no_accounts")


def listening(settings: Config) -> socket.socket:
    """A socket where the settings want it. Raises Unprotected and ServerUnreachable."""
    host, port = settings.sms_web_host, settings.sms_web_port
    check_reach(settings)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=WAITING)
    except OSError as error:
        raise ServerUnreachable("web.cannot_listen", where=f"{host}:{port}", why=error.strerror or error) from error


def serve(app: FastAPI, settings: Config, *, has_accounts: bool) -> None:
    """Until SIGTERM or Ctrl-C."""
    _have_descriptors()
    with contextlib.closing(listening(settings)) as door:
        where = settings.sms_web_published or f"{_shown(settings.sms_web_host)}:{settings.sms_web_port}"
        log.info("web ready", extra={"url": f"http://{where}"})
        if not has_accounts:
            log.info("no accounts, so pages change nothing; to make one: python -m app users add NAME --role admin")
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # we have said it
        WebServer(app).run(sockets=[door])
    _give_up_threads()


def _give_up_threads() -> None:
    """What is still at it, such as a search of all logs whose asker is gone, is not waited for: an interpreter would,
    for as long as it takes. What it has not committed has not happened."""
    until = time.monotonic() + THREADS_END_WITHIN_S
    others = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    for each in others:
        each.join(max(0.0, until - time.monotonic()))
    if any(each.is_alive() for each in others):
        log.warning("what was asked for is given up", extra={"threads": sum(each.is_alive() for each in others)})
        logging.shutdown()
        os._exit(0)


def _have_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
