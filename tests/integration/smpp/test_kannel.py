"""Kannel, a client that we did not write, sends over the demo message centre and hears its receipts and replies.

It is Debian's package `kannel`; nothing of it outlives the test.
"""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.integration.smpp.smsc import Smsc, running
from tests.ports import free_port
from tests.waiting import until

BEARERBOX, SMSBOX = Path("/usr/sbin/bearerbox"), Path("/usr/sbin/smsbox")
TEXTS = ["hello", "a@b [euro] " * 30, "尊敬的客户，您好", "尊敬的客户，" * 20]
Heard = list[dict[str, str]]


@contextmanager
def listening() -> Iterator[tuple[int, Heard]]:
    """Kannel asks for an address for each receipt and each message that comes in; what it said."""
    heard: Heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nowhere."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configuration(smsc_port: int, admin_port: int, send_port: int, heard_port: int) -> str:
    return f"""
group = core
admin-port = {admin_port}
admin-interface = 127.0.0.1
admin-password = secret
smsbox-port = {free_port()}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1

group = smsc
smsc = smpp
smsc-id = ours
host = 127.0.0.1
port = {smsc_port}
transceiver-mode = true
smsc-username = kannel
smsc-password = secret
system-type = ""

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send_port}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = us
password = us
max-messages = 10
concatenation = true

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{heard_port}/?from=%p&text=%b"
max-messages = 0
catch-all = true
"""


def asked(port: int, path: str, **values: str) -> str:
    """What Kannel answers; '' while it does not."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}?{urlencode(values)}", timeout=30) as answer:
            said: bytes = answer.read()
            return said.decode()
    except OSError:
        return ""


@contextmanager
def kannel(centre: Smsc, heard_port: int, folder: Path) -> Iterator[int]:
    """Bound to the message centre; the port that it takes messages at."""
    admin_port, send_port = free_port(), free_port()
    file = folder / "kannel.conf"
    file.write_text(configuration(centre.port, admin_port, send_port, heard_port))
    with ExitStack() as stack:
        for program in (BEARERBOX, SMSBOX):
            out = stack.enter_context((folder / "kannel.log").open("ab"))
            box = subprocess.Popen([str(program), str(file)], cwd=folder, stdout=out, stderr=out)
            stack.callback(box.wait)
            stack.callback(box.kill)
            until(lambda: "(online" in asked(admin_port, "status.txt", password="secret"), what="Kannel is bound")
        until(lambda: "(on-line" in asked(admin_port, "status.txt", password="secret"), what="it takes messages")
        yield send_port


@pytest.mark.skipif(not (BEARERBOX.exists() and SMSBOX.exists()), reason="Kannel is not installed")
def test_kannel_sends_texts_of_any_length_and_hears_of_receipts_and_replies(tmp_path: Path) -> None:
    with (
        listening() as (heard_port, heard),
        running(tmp_path, "--receipts-after", "0.05") as centre,
        kannel(centre, heard_port, tmp_path) as port,
    ):
        for number, text in enumerate(TEXTS):
            to = f"1380000000{number}"
            told = f"http://127.0.0.1:{heard_port}/?about={to}&kind=%d"
            who = {"username": "us", "password": "us", "from": "1069", "to": to}
            what = {"text": text, "coding": "0" if text.isascii() else "2", "charset": "utf-8"}
            answer = asked(port, "cgi-bin/sendsms", **who, **what, **{"dlr-mask": "31", "dlr-url": told})
            assert answer.startswith("0: Accepted")
        expected = {(f"1380000000{number}", "1") for number in range(len(TEXTS))}  # 1: it was delivered
        until(lambda: expected <= {(each.get("about", ""), each["kind"]) for each in heard if "kind" in each})
        centre.say("reply 13800000000 1069 TD")
        replies = until(lambda: [each for each in heard if each.get("text") == "TD"], what="the reply is heard")
        lines = centre.submissions()

    got = {to: "".join(line[5] for line in lines if line[2] == to) for _, _, to, *_ in lines}
    assert got == {f"1380000000{number}": text for number, text in enumerate(TEXTS)}
    assert len(lines) > len(TEXTS)  # a long one is several
    assert [each["from"].strip(" +") for each in replies] == ["13800000000"]
    assert {line[1] for line in lines} == {"kannel"}
