"""The web process as an operator has it: `python -m app web`, beside a Product or without one."""

import signal
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from tests import starting
from tests.integration.app.serving import Product
from tests.ports import free_port
from tests.waiting import until

WITHIN_S = 60.0


@dataclass
class WebProcess:
    """One that runs; `url` is where."""

    process: starting.Process
    url: str
    log: Path

    def get(self, path: str, **headers: str) -> HTTPResponse:
        """The answer, which is not an error."""
        request = urllib.request.Request(self.url + path, headers=headers)
        answer = urllib.request.urlopen(request, timeout=WITHIN_S)
        assert isinstance(answer, HTTPResponse)
        return answer

    def answers(self) -> bool:
        """Whether it does, at this moment."""
        try:
            with self.get("/health/live"):
                return True
        except OSError:
            return False

    def stop(self, by: int = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(by)
        return self.process.wait(WITHIN_S)


@contextmanager
def web_process(product: Product, home: Path, program: Sequence[str] = ("-m", "app", "web")) -> Iterator[WebProcess]:
    """On the database of this product; ready, and gone at the end."""
    port = free_port()
    log = home / "web.log"
    environment = {**product.environment, "SMS_WEB_PORT": str(port)}
    with log.open("ab") as file:
        process = starting.start(program, environment, stdout=file.fileno(), stderr=file.fileno(), new_session=True)
    web = WebProcess(process, f"http://127.0.0.1:{port}", log)
    try:
        until(lambda: process.poll() is not None or web.answers(), within_s=WITHIN_S, what="the web process answers")
        assert process.poll() is None, log.read_text()
        yield web
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(WITHIN_S)
