"""The bare SDK of each provider in a loop, in a process of its own: what sending by it cannot be quicker than."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from app.gateways.accounts import load
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.tencent.account import TencentAccount
from app.gateways.twilio.account import TwilioAccount

SIGNER = "AC" + "0" * 32
BATCHES = {"aliyun": 100, "tencent": 200, "twilio": 1}
"""Messages of a call, as many as each takes."""
FIRST = 13_800_000_000
BODY = "尊敬的先生，您的账单已出，请查收"


def aliyun(sender: int, file: str, calls: int) -> tuple[float, float]:
    """Begin and end of so many calls."""
    from app.gateways.aliyun.client import AliyunClient, One  # noqa: PLC0415

    account = cast(AliyunAccount, load(Path(file))["centre"])
    client = AliyunClient(account, connections=account.window)

    def call(number: int) -> None:
        first = FIRST + (sender * calls + number) * BATCHES["aliyun"]
        batch = [One(first + each, {"honorific": "先生"}) for each in range(BATCHES["aliyun"])]
        client.send("SMS_1", account.signature, f"floor-{sender}", batch)

    return _in_threads(call, calls, account.window)


def tencent(sender: int, file: str, calls: int) -> tuple[float, float]:
    """Begin and end of so many calls."""
    from app.gateways.tencent.client import TencentClient  # noqa: PLC0415

    account = cast(TencentAccount, load(Path(file))["centre"])
    client = TencentClient(account)

    def call(number: int) -> None:
        first = FIRST + (sender * calls + number) * BATCHES["tencent"]
        mobiles = range(first, first + BATCHES["tencent"])
        client.send("1110", account.signature, ["先生"], f"floor-{sender}", mobiles)

    return _in_threads(call, calls, account.window)


def twilio(sender: int, file: str, calls: int) -> tuple[float, float]:
    """Begin and end of so many calls, by asyncio on uvloop."""
    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_twilio(sender, file, calls))


async def _twilio(sender: int, file: str, calls: int) -> tuple[float, float]:
    from app.gateways.twilio.client import TwilioClient  # noqa: PLC0415

    account = cast(TwilioAccount, load(Path(file))["centre"])
    client = TwilioClient(account, connections=account.window)
    left = iter(range(calls))

    async def work() -> None:
        for number in left:
            await client.send(FIRST + sender * calls + number, BODY, f"floor-{sender}")

    begin = time.monotonic()
    await asyncio.gather(*(work() for _ in range(account.window)))
    end = time.monotonic()
    await client.close()
    return begin, end


def _in_threads(call: Callable[[int], None], calls: int, window: int) -> tuple[float, float]:
    ready = threading.Barrier(window + 1)
    with ThreadPoolExecutor(window) as threads:
        for _ in range(window):
            threads.submit(ready.wait)
        ready.wait()
        begin = time.monotonic()
        for each in [threads.submit(call, number) for number in range(calls)]:
            each.result()
        return begin, time.monotonic()
