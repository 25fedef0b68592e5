"""One of several processes that send over an account and share its rate, as `python -m` runs it: what the product sends
with, without a campaign. It begins at a line of its standard input, and sends until it is killed or has no more."""

import asyncio
import os
import sys

import uvloop

from app.domain.chunk import Chunk
from app.gateways.accounts import SmppAccount
from app.gateways.smpp.network import SmppNetwork
from app.sending.limiter import of_account
from app.sending.submitter import Submitter
from app.sending.underway import Underway
from app.store.database import open_database

MESSAGES = 20_000


async def send(url: str, port: int, rate: float) -> None:
    os.environ["SHARED_PASSWORD"] = "secret"
    at = {"kind": "smpp", "host": "127.0.0.1", "port": port, "password_env": "SHARED_PASSWORD"}
    account = SmppAccount.model_validate({**at, "system_id": f"sharer-{os.getpid()}", "rate": rate, "window": 50})
    network = SmppNetwork("shared", account)
    line = await network.open(lambda _: asyncio.sleep(0), "shared")
    print("bound", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    ids = range(MESSAGES)
    underway = Underway(1, 3600, asyncio.get_running_loop().time)
    numbers = [13_800_000_000 + each for each in ids]
    underway.add(Chunk(-1, MESSAGES, ids, numbers, [1] * MESSAGES), ["hello"] * MESSAGES)
    submitter = Submitter(line, underway, of_account(open_database(url), network))
    await asyncio.gather(submitter.submit(), submitter.collect())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
