"""The demo provider spoken to as Aliyun: RPC calls signed by ACS3-HMAC-SHA256, batches, and details of a number.

Sources: help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature (the signature);
help.aliyun.com/document_detail/102364.html (SendBatchSms) and 419277.html (QuerySendDetails).
"""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from examples.provider_core import Core, Message
from examples.provider_http import Request, Response

MOST_NUMBERS = 100
MOST_CHARACTERS = 35
CHINA = timezone(timedelta(hours=8))
CLOCKS_DIFFER = timedelta(minutes=15)
_AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)")


async def answer(core: Core, request: Request) -> Response:
    """One call."""
    if wrong := _unsigned(core, request):
        return Response(wrong[0], {"Code": wrong[1], "Message": wrong[2], "RequestId": "r"})
    action = request.headers["x-acs-action"]
    core.requests.append(f"aliyun {action}")
    if action == "SendBatchSms":
        return await _send(core, request.params)
    if action == "QuerySendDetails":
        if not core.may_list():
            return Response(500, {"Code": "isp.SYSTEM_ERROR", "Message": "by option"})
        return _details(core, request.params)
    return Response(404, {"Code": "InvalidAction.NotFound", "Message": action})


def _unsigned(core: Core, request: Request) -> tuple[int, str, str] | None:
    """What is wrong with the signature, recomputed from what came over the wire."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not found:
        return 400, "IncompleteSignature", "no signature of this kind"
    key, names, signature = found.groups()
    payload = hashlib.sha256(request.body).hexdigest()
    at = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    nonce = request.headers.get("x-acs-signature-nonce", "")
    expected = _signature(core, request, names, payload)
    rules = {
        (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."): key == core.account,
        (400, "SignatureDoesNotMatch", "the body is another one"): request.headers["x-acs-content-sha256"] == payload,
        (400, "InvalidTimeStamp.Expired", "the time is too far off"): abs(datetime.now(UTC) - at) < CLOCKS_DIFFER,
        (400, "SignatureDoesNotMatch", "Specified signature does not match our calculation."): (
            {"host", "x-acs-date"} <= {*names.split(";")} and hmac.compare_digest(expected, signature)
        ),
        (400, "SignatureNonceUsed", "The request signature nonce has been used."): nonce not in core.nonces,
    }
    core.nonces.add(nonce)
    return next((wrong for wrong, holds in rules.items() if not holds), None)


def _signature(core: Core, request: Request, names: str, payload: str) -> str:
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(request.query_params.items()))
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names.split(";"))
    whole = f"{request.method}\n{request.path}\n{query}\n{headers}\n{names}\n{payload}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(whole.encode()).hexdigest()}"
    return hmac.new(core.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _quoted(value: str) -> str:
    return quote(value, safe="~")


async def _send(core: Core, params: dict[str, str]) -> Response:
    options = core.options
    if options.fault:
        return _said(options.fault, "refused by option")
    if core.chance(options.error_before):
        return Response(503, {"Code": "ServiceUnavailable", "Message": "by option", "RequestId": "r"})
    numbers: list[str] = json.loads(params["PhoneNumberJson"])
    signatures: list[str] = json.loads(params["SignNameJson"])
    values: list[dict[str, str]] = json.loads(params.get("TemplateParamJson") or json.dumps([{}] * len(numbers)))
    reference = params.get("OutId", "")
    if not core.has_room(len(numbers)):
        return _said("Throttling.User", "Request was denied due to user flow control.", 400)
    if wrong := _wrong(core, numbers, signatures, values):
        return _said(*wrong)
    biz_id = f"{core.next_id()}^0"
    for number, signature, each in zip(numbers, signatures, values, strict=True):
        text = f"【{signature}】{json.dumps(each, ensure_ascii=False)}"
        core.take(biz_id, number, text, reference, template=params["TemplateCode"])
    return await core.answered({"Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": "r"})


def _wrong(
    core: Core, numbers: list[str], signatures: list[str], values: list[dict[str, str]]
) -> tuple[str, str] | None:
    every = [value for each in values for value in each.values()]
    rules = {
        ("isv.MOBILE_COUNT_OVER_LIMIT", "too many numbers"): len(numbers) <= MOST_NUMBERS,
        ("isv.INVALID_PARAMETERS", "not as many of each"): len(numbers) == len(signatures) == len(values),
        ("isv.MOBILE_NUMBER_ILLEGAL", "a number is not valid"): (
            all(re.fullmatch(r"1\d{10}", each) for each in numbers) and not core.refuses & {*numbers}
        ),
        ("isv.TEMPLATE_MISSING_PARAMETERS", "a value is missing"): all(every),
        ("isv.PARAM_LENGTH_LIMIT", "a value is too long"): all(len(each) <= MOST_CHARACTERS for each in every),
        ("isv.PARAM_NOT_SUPPORT_URL", "a value has a link"): not any("://" in each for each in every),
    }
    return next((wrong for wrong, holds in rules.items() if not holds), None)


def _details(core: Core, params: dict[str, str]) -> Response:
    size, page = int(params["PageSize"]), int(params["CurrentPage"])
    found = [
        each
        for each in core.by_number.get(params["PhoneNumber"], [])
        if params.get("BizId", each.id) == each.id and _day(each) == params["SendDate"]
    ]
    shown = found[(page - 1) * size : page * size]
    rows = [_row(core, each) for each in shown]
    listed = {"SmsSendDetailDTO": rows}
    return Response(200, {"Code": "OK", "Message": "OK", "TotalCount": len(found), "SmsSendDetailDTOs": listed})


def _row(core: Core, message: Message) -> dict[str, Any]:
    is_due = core.is_due(message)
    when = f"{datetime.fromtimestamp(message.at, CHINA):%Y-%m-%d %H:%M:%S}"
    return {
        "PhoneNum": message.number,
        "SendStatus": (3 if message.is_delivered else 2) if is_due else 1,
        "ErrCode": ("DELIVERED" if message.is_delivered else "MK:0001") if is_due else "",
        "TemplateCode": message.template,
        "Content": message.text,
        "SendDate": when,
        "ReceiveDate": when if is_due else "",
        "OutId": message.reference,
    }


def _day(message: Message) -> str:
    return f"{datetime.fromtimestamp(message.at, CHINA):%Y%m%d}"


def _said(code: str, text: str, status: int = 200) -> Response:
    return Response(status, {"Code": code, "Message": text, "RequestId": "r"})
