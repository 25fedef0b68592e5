"""What Aliyun sends by itself: receipts (SmsReport) and replies (SmsUp), as JSON to an address of ours.

Sources: help.aliyun.com/document_detail/101867.html (SmsReport) and 101847.html (SmsUp): an array of objects; status
200 and a numeric code say that they are taken, after anything else they come again.
"""

import asyncio
import hmac
import json
import logging
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt, Reply
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.approved import OURS
from app.gateways.base import Take

log = logging.getLogger(__name__)

MOST_BYTES = 2**20
AGAIN_AFTER_S = 10.0


def id_of(biz_id: str, mobile: int) -> str:
    """What we call a message: a BizId is of a whole call."""
    return f"{biz_id}/{mobile}"


def read(body: bytes) -> list[Receipt | Reply]:
    """The news in a request, without what is of another application's messages or cannot be read. Raises ValueError
    where nothing in it can."""
    try:
        rows = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(rows, list):
        raise ValueError("no array")
    now, found, bad = datetime.now(UTC), [], 0
    for each in rows:
        try:
            found.append(_news(each, now))
        except (ValueError, TypeError, AttributeError):
            bad += 1
    if bad and bad == len(rows):
        raise ValueError("no receipt and no reply")
    if bad:
        log.warning("some of what was sent to us is no news", extra={"count": bad})
    return [each for each in found if each is not None]


def _news(row: dict[str, Any], now: datetime) -> Receipt | Reply | None:
    digits = str(row.get("phone_number", "")).removeprefix("+")
    mobile = int(digits.removeprefix("86") if len(digits) > len("13800000000") else digits)
    if "content" in row:
        return Reply(mobile, str(row["content"]), now)
    if not isinstance(row.get("success"), bool) or not row.get("biz_id"):
        raise ValueError("neither a receipt nor a reply")
    reference = str(row.get("out_id") or "")
    if not OURS.fullmatch(reference):
        return None
    state = Delivery.DELIVERED if row["success"] else Delivery.UNDELIVERED
    error = "" if row["success"] else str(row.get("err_code") or "")
    return Receipt(id_of(str(row["biz_id"]), mobile), mobile, state, error, now, reference=reference)


async def listen(account: AliyunAccount, gateway: str, take: Take) -> None:
    """Take what comes, for ever. It is acknowledged once it is on record; who does not know the secret gets nothing."""
    secret = account.listen_secret().get_secret_value()

    async def receive(request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.match_info["secret"].encode(), secret.encode()):
            return web.Response(status=404)
        try:
            news = read(await request.read())
        except ValueError as error:
            log.warning("what was sent to us is no news", extra={"gateway": gateway, "error": str(error)})
            return web.Response(status=400)
        if news:
            await take(news)
        return web.json_response({"code": 0, "msg": "OK"})

    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_post("/{secret}", receive)
    host, _, port = account.listen.rpartition(":")
    while True:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port), reuse_port=False).start()
            log.info("listening for what the provider sends", extra={"gateway": gateway, "address": account.listen})
            await asyncio.get_running_loop().create_future()
        except OSError as error:
            log.error("cannot listen for what the provider sends", extra={"gateway": gateway, "error": error.strerror})
        finally:
            await runner.cleanup()
        await asyncio.sleep(AGAIN_AFTER_S)
