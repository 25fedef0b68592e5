"""What is sent to Twilio fits its public OpenAPI document, as Prism sees it, and what it answers is understood.

TWILIO_OPENAPI names the document (twilio_api_v2010.json of github.com/twilio/twilio-oai).
"""

import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.delivery import Delivery
from app.gateways.base import Submission
from app.gateways.twilio import codes
from app.gateways.twilio.account import TwilioAccount
from app.gateways.twilio.client import TwilioClient
from app.gateways.twilio.network import TwilioNetwork
from tests.node_package import NoNode, Package
from tests.ports import free_port
from tests.waiting import until

PRISM = Package("@stoplight/prism-cli", "5.16.0", "prism", install_s=180)
SID = "AC" + "0" * 32


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """Where Prism listens, and the file it writes what it thinks of each request to."""
    document = os.environ.get("TWILIO_OPENAPI")
    if not document:
        pytest.skip("TWILIO_OPENAPI is not set")
    try:
        folder = PRISM.installed()
    except NoNode as error:
        pytest.skip(str(error))
    log, port = tmp_path_factory.mktemp("prism") / "log", free_port()
    with log.open("w") as out:
        command = ["node", "node_modules/.bin/prism", "mock", "-h", "127.0.0.1", "-p", str(port), document]
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        try:
            until(lambda: "Prism is listening" in log.read_text(), within_s=60)
            yield port, log
        finally:
            process.kill()
            process.wait()


def account(port, **more):
    fields = {"kind": "twilio", "account_sid": SID, "secret_env": "NET_SECRET", "source": "+15550001111"}
    return TwilioAccount.model_validate({**fields, "endpoint": f"http://127.0.0.1:{port}", **more})


@pytest.mark.parametrize(
    "more",
    [{}, {"source": "", "messaging_service": "MG" + "0" * 32}, {"status_callback": "https://example.com/x"}],
    ids=["from a number", "from a service", "with a callback"],
)
def test_a_message_is_as_the_document_wants_it_and_the_answer_is_understood(prism, monkeypatch, more):
    port, log = prism
    monkeypatch.setenv("NET_SECRET", "secret")
    network = TwilioNetwork("net", account(port, **more))

    async def send():
        line = await network.open(None, "1-1")
        try:
            line.submit([Submission(7, 13800000001, "您好", 1)])
            while not (found := await line.answers()):
                pass
            return found
        finally:
            await line.close()

    (answer,) = asyncio.run(send())

    assert answer.state is Delivery.ACCEPTED, log.read_text()
    assert answer.provider_id.startswith(("SM", "MM"))
    assert "Violation: request" not in log.read_text()


def test_the_list_of_messages_is_asked_for_as_the_document_wants_it(prism, monkeypatch):
    port, log = prism
    monkeypatch.setenv("NET_SECRET", "secret")

    async def ask():
        client = TwilioClient(account(port), connections=1)
        try:
            return await client.page(datetime.now(UTC), "")
        finally:
            await client.close()

    found, _ = asyncio.run(ask())

    assert isinstance(found, list), log.read_text()
    assert "Violation: request" not in log.read_text()


@pytest.mark.skipif("TWILIO_OPENAPI" not in os.environ, reason="TWILIO_OPENAPI is not set")
def test_every_state_of_the_document_is_known():
    document = Path(os.environ["TWILIO_OPENAPI"]).read_text()
    states = json.loads(document)["components"]["schemas"]["message_enum_status"]["enum"]

    assert {*states} - {"receiving", "received"} == {*codes.STATES}
