"""The demo provider spoken to as Tencent Cloud: JSON calls signed by TC3-HMAC-SHA256, a status a number, queues.

Sources: cloud.tencent.com/document/product/382/52071 (the signature), 55981 (SendSms), 55979 (PullSmsSendStatus),
55980 (PullSmsReplyStatus), 55978 and 55977 (the same by number).
"""

import hashlib
import hmac
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from examples.provider_core import Core, Message
from examples.provider_http import Request, Response

MOST_NUMBERS = 200
MOST_CHARACTERS = 12
CLOCKS_DIFFER_S = 300
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/]+)/([0-9-]+)/sms/tc3_request, SignedHeaders=([^,]+), Signature=([0-9a-f]+)"
)


async def answer(core: Core, request: Request) -> Response:
    """One call."""
    if wrong := _unsigned(core, request):
        return _error(*wrong)
    action, params = request.headers["x-tc-action"], json.loads(request.body)
    core.requests.append(f"tencent {action}")
    if action == "SendSms":
        return await _send(core, params)
    if not core.may_list():
        return _error("InternalError.OtherError", "by option")
    pulls = {
        "PullSmsSendStatus": _pull_states,
        "PullSmsSendStatusByPhoneNumber": _states_of,
        "PullSmsReplyStatus": _pull_replies,
    }
    return pulls[action](core, params) if action in pulls else _error("InvalidAction", action)


def _pull_states(core: Core, params: dict[str, Any]) -> Response:
    due = [each for each in core.messages if not each.is_pulled and core.is_due(each)][: params["Limit"]]
    for each in due:
        each.is_pulled = True
    return _said({"PullSmsSendStatusSet": [_row(each) for each in due]})


def _states_of(core: Core, params: dict[str, Any]) -> Response:
    found = core.by_number.get(params["PhoneNumber"], [])
    due = [each for each in found if core.is_due(each) and each.at >= params["BeginTime"]]
    return _said({"PullSmsSendStatusSet": [_row(each) for each in due[params["Offset"] :][: params["Limit"]]]})


def _pull_replies(core: Core, params: dict[str, Any]) -> Response:
    replies = [each for each in core.replies if not each.is_pulled][: params["Limit"]]
    for reply in replies:
        reply.is_pulled = True
    rows = [
        {"SubscriberNumber": each.number, "ReplyContent": each.text, "ReplyTime": int(each.at), "SignName": ""}
        for each in replies
    ]
    return _said({"PullSmsReplyStatusSet": rows})


def _unsigned(core: Core, request: Request) -> tuple[str, str] | None:
    """What is wrong with the signature, recomputed from what came over the wire."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not found:
        return "AuthFailure.InvalidAuthorization", "no signature of this kind"
    key, date, names, signature = found.groups()
    stamp = request.headers["x-tc-timestamp"]
    expected = _signature(core, request, date, names, stamp)
    rules = {
        ("AuthFailure.SecretIdNotFound", "The SecretId is not found."): key == core.account,
        ("AuthFailure.SignatureExpire", "the time is too far off"): (
            abs(time.time() - int(stamp)) < CLOCKS_DIFFER_S
            and date == f"{datetime.fromtimestamp(int(stamp), UTC):%Y-%m-%d}"
        ),
        ("AuthFailure.SignatureFailure", "The provided credentials could not be validated."): (
            {"content-type", "host"} <= {*names.split(";")} and hmac.compare_digest(expected, signature)
        ),
    }
    return next((wrong for wrong, holds in rules.items() if not holds), None)


def _signature(core: Core, request: Request, date: str, names: str, stamp: str) -> str:
    headers = "".join(f"{name}:{request.headers.get(name, '').lower()}\n" for name in names.split(";"))
    payload = hashlib.sha256(request.body).hexdigest()
    whole = f"{request.method}\n{request.path}\n{request.query}\n{headers}\n{names}\n{payload}"
    digest = hashlib.sha256(whole.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{stamp}\n{date}/sms/tc3_request\n{digest}"
    key = f"TC3{core.secret}".encode()
    for each in (date, "sms", "tc3_request"):
        key = hmac.new(key, each.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


async def _send(core: Core, params: dict[str, Any]) -> Response:
    options, numbers, values = core.options, params["PhoneNumberSet"], params.get("TemplateParamSet") or []
    if options.fault:
        return _error(options.fault, "refused by option")
    if core.chance(options.error_before):
        return _error("ResourceUnavailable", "by option")
    if not core.has_room(len(numbers)):
        return _error("RequestLimitExceeded", "too many requests")
    if len(numbers) > MOST_NUMBERS:
        return _error("LimitExceeded.PhoneNumberCountLimit", "too many numbers")
    rows = [_take(core, params, values, number) for number in numbers]
    return await core.answered({"Response": {"SendStatusSet": rows, "RequestId": "r"}})


def _take(core: Core, params: dict[str, Any], values: list[str], number: str) -> dict[str, Any]:
    reference = params.get("SessionContext", "")
    text = f"【{params['SignName']}】{json.dumps(values, ensure_ascii=False)}"
    code, serial = "Ok", ""
    if not re.fullmatch(r"\+861\d{10}", number) or core.refuses & {number}:
        code = "InvalidParameterValue.IncorrectPhoneNumber"
    elif core.chance(core.options.refuse):
        code = "FailedOperation.PhoneNumberInBlacklist"
    elif any(len(each) > MOST_CHARACTERS for each in values):
        code = "InvalidParameterValue.TemplateParameterLengthLimit"
    elif any("://" in each for each in values):
        code = "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
    if code == "Ok":
        serial = f"2640:{core.next_id()}"
        core.take(serial, number, text, reference, template=params["TemplateId"])
    else:
        core.refused(number, reference, text)
    said = "send success" if code == "Ok" else code
    row = {"SerialNo": serial, "PhoneNumber": number, "Fee": 1, "SessionContext": reference, "IsoCode": "CN"}
    return {**row, "Code": code, "Message": said}


def _row(message: Message) -> dict[str, Any]:
    return {
        "UserReceiveTime": int(message.at),
        "CountryCode": "86",
        "SubscriberNumber": message.number[3:],
        "PhoneNumber": message.number,
        "SerialNo": message.id,
        "ReportStatus": "SUCCESS" if message.is_delivered else "FAIL",
        "Description": "DELIVRD" if message.is_delivered else "MK:0001",
        "SessionContext": message.reference,
    }


def _said(document: dict[str, Any]) -> Response:
    return Response(200, {"Response": {**document, "RequestId": "r"}})


def _error(code: str, text: str) -> Response:
    return _said({"Error": {"Code": code, "Message": text}})
