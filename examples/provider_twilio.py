"""The demo provider spoken to as Twilio: basic auth, a form a message, and a list of messages.

Source: twilio.com/docs/messaging/api/message-resource, and Twilio's OpenAPI document (twilio_api_v2010).
"""

import base64
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from app.domain.sms_parts import cost
from examples.provider_core import Core, Message
from examples.provider_http import Request, Response

PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/Messages\.json")
HTTP_STATUS = {"20003": 401, "20429": 429}
MOST_CHARACTERS = 1_600


async def answer(core: Core, request: Request) -> Response:
    """One call."""
    found = PATH.fullmatch(request.path)
    login = base64.b64encode(f"{core.account}:{core.secret}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {login}":
        return _error("20003", "Authenticate")
    if not found:
        return _error("20404", "The requested resource was not found", 404)
    core.requests.append(f"twilio {request.method}")
    if request.method == "GET":
        if not core.may_list():
            return Response(500, {"message": "internal error"})
        return _page(core, found[1], request.params)
    return await _create(core, found[1], request.params)


async def _create(core: Core, account: str, params: dict[str, str]) -> Response:
    number, text, reference = params.get("To", ""), params.get("Body", ""), params.get("StatusCallback", "")
    reference = reference.rpartition("ref=")[2]
    if core.options.fault:
        return _error(core.options.fault, "refused by option", HTTP_STATUS.get(core.options.fault, 400))
    if core.chance(core.options.error_before):
        return Response(500, {"message": "internal error"})
    if not core.has_room(1):
        return _error("20429", "Too Many Requests", 429)
    wrong = _wrong(params)
    if not wrong and core.chance(core.options.refuse):
        wrong = ("21614", "'To' number is not a valid mobile number")
    if wrong:
        core.refused(number, reference, text)
        return await core.answered({"code": int(wrong[0]), "message": wrong[1], "status": 400}, 400)
    source = params.get("From") or params.get("MessagingServiceSid", "")
    made = core.take(f"SM{core.next_id():032x}", number, text, reference, source=source)
    return await core.answered(_document(core, account, made), 201)


def _wrong(params: dict[str, str]) -> tuple[str, str] | None:
    if not re.fullmatch(r"\+[1-9]\d{6,14}", params.get("To", "")):
        return "21211", "Invalid 'To' Phone Number"
    if not (params.get("From") or params.get("MessagingServiceSid")):
        return "21603", "A 'From' phone number is required"
    if not params.get("Body"):
        return "21602", "Message body is required"
    if len(params["Body"]) > MOST_CHARACTERS:
        return "21617", "The concatenated message body exceeds the 1600 character limit"
    return None


def _page(core: Core, account: str, params: dict[str, str]) -> Response:
    size, start = int(params.get("PageSize", "50")), int(params.get("Page", "0"))
    since = params.get("DateSent>", "")
    at = datetime.fromisoformat(since.replace("Z", "+00:00")).timestamp() if since else 0.0
    every = [
        each
        for each in reversed(core.messages)
        if each.at >= at
        and params.get("From", each.source) == each.source
        and params.get("To", each.number) == each.number
    ]
    shown = every[start * size : (start + 1) * size]
    following = None
    if len(every) > (start + 1) * size:
        following = f"/2010-04-01/Accounts/{account}/Messages.json?{urlencode({**params, 'Page': start + 1})}"
    rows = [_document(core, account, each) for each in shown]
    return Response(200, {"messages": rows, "page": start, "page_size": size, "next_page_uri": following})


def _document(core: Core, account: str, message: Message) -> dict[str, Any]:
    when = format_datetime(datetime.fromtimestamp(int(message.at), UTC))
    status = "queued" if not core.is_due(message) else "delivered" if message.is_delivered else "undelivered"
    is_service = message.source.startswith("MG")
    return {
        "sid": message.id,
        "account_sid": account,
        "to": message.number,
        "from": None if is_service else message.source,
        "messaging_service_sid": message.source if is_service else None,
        "body": message.text,
        "status": status,
        "direction": "outbound-api",
        "num_segments": str(cost(message.text).parts),
        "num_media": "0",
        "error_code": 30005 if status == "undelivered" else None,
        "error_message": None,
        "date_created": when,
        "date_sent": when,
        "date_updated": when,
        "price": None,
        "price_unit": "USD",
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{message.id}.json",
        "subresource_uris": {},
    }


def _error(code: str, text: str, status: int = 401) -> Response:
    return Response(status, {"code": int(code), "message": text, "status": status})
