"""Others that hand messages to the same message centre, where they are installed: smpplib, and Kannel's two boxes."""

import asyncio
import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from benchmarks import processes
from benchmarks.product import free_port
from benchmarks.sink import Sink

MESSAGES = 20_000
CONNECTIONS = 16
"""Of those who ask Kannel over HTTP."""


def measure(centre: Sink, text: str, window: int) -> Iterator[tuple[str, float]]:
    """Name and seconds of each that is there."""
    if importlib.util.find_spec("smpplib"):
        yield (
            "smpplib, nothing on record",
            processes.run("benchmarks.smpp_peers:smpplib_s", port=centre.port, text=text),
        )
    if shutil.which("bearerbox") and shutil.which("smsbox"):
        with _kannel(centre.port, window) as http:
            began, before = time.monotonic(), centre.counts().submissions
            asyncio.run(_over_http(http, text))
            while centre.counts().submissions < before + MESSAGES:
                time.sleep(0.01)
            yield "Kannel, nothing on record", time.monotonic() - began


def smpplib_s(port: int, text: str) -> float:
    """Seconds for the messages from one process, answers read as they come."""
    import smpplib.client  # noqa: PLC0415  only where it is measured
    import smpplib.consts  # noqa: PLC0415

    client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    answers = 0

    def answered(pdu: object) -> None:
        nonlocal answers
        answers += 1

    client.set_message_sent_handler(answered)
    client.connect()
    client.bind_transceiver(system_id="sms", password="secret")
    body, began = text.encode("utf-16-be"), time.monotonic()
    for number in range(MESSAGES):
        client.send_message(
            source_addr="10690000",
            destination_addr=f"86138{number:08}",
            short_message=body,
            data_coding=smpplib.consts.SMPP_ENCODING_ISO10646,
        )
        client.read_once()
    while answers < MESSAGES:
        client.read_once()
    seconds = time.monotonic() - began
    client.unbind()
    client.disconnect()
    return seconds


_KANNEL = """
group = core
admin-port = {admin}
admin-password = secret
smsbox-port = {box}
log-level = 2
box-allow-ip = 127.0.0.1

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = {centre}
transceiver-mode = true
smsc-username = sms
smsc-password = secret
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
log-level = 2

group = sendsms-user
username = sms
password = secret
max-messages = 1
"""


@contextmanager
def _kannel(centre: int, window: int) -> Iterator[int]:
    admin, box, http = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder, "kannel.conf"), Path(folder, "log")
        file.write_text(_KANNEL.format(admin=admin, box=box, http=http, centre=centre, window=window))
        started: list[subprocess.Popen[bytes]] = []
        with log.open("wb") as said:
            try:
                for program in ("bearerbox", "smsbox"):
                    started.append(subprocess.Popen([program, str(file)], stdout=said, stderr=said, cwd=folder))
                    time.sleep(2)
                yield http
            finally:
                for each in reversed(started):
                    each.terminate()
                    each.wait(timeout=30)


async def _over_http(port: int, text: str) -> None:
    """Until Kannel has all of them."""
    each = MESSAGES // CONNECTIONS
    await asyncio.gather(*(_ask(port, text, at * each, each) for at in range(CONNECTIONS)))


async def _ask(port: int, text: str, first: int, count: int) -> None:
    what = f"username=sms&password=secret&from=10690000&coding=2&charset=UTF-8&text={quote(text)}"
    for number in range(first, first + count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /cgi-bin/sendsms?{what}&to=86138{number:08} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        if b" 202 " not in answer:
            raise RuntimeError(f"Kannel did not take a message: {answer[-200:]!r}")
