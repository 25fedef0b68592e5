"""Aliyun's error codes and what each says about the messages of a call. Pure.

Sources: help.aliyun.com/document_detail/101346.html (codes of the SMS API) and
help.aliyun.com/zh/openapi/ (common codes: Throttling, signatures); states: help.aliyun.com/document_detail/419277.html.
"""

from app.domain.delivery import Delivery
from app.gateways.verdict import Verdict

_OURS = {
    "isp.RAM_PERMISSION_DENY": "the access key may not send",
    "isv.OUT_OF_SERVICE": "the account is out of service: no balance",
    "isv.PRODUCT_UN_SUBSCRIPT": "the product is not activated",
    "isv.PRODUCT_UNSUBSCRIBE": "the product is not activated",
    "isv.ACCOUNT_NOT_EXISTS": "there is no such account",
    "isv.ACCOUNT_ABNORMAL": "the account is not in order",
    "isv.AMOUNT_NOT_ENOUGH": "the balance is used up",
    "isv.SMS_TEMPLATE_ILLEGAL": "there is no such approved template",
    "isv.SMS_SIGNATURE_ILLEGAL": "there is no such approved signature",
    "isv.SMS_SIGN_ILLEGAL": "the signature must not be used",
    "isv.SIGN_NAME_ILLEGAL": "the signature is not well formed",
    "isv.SIGN_STATE_ILLEGAL": "the signature cannot be used",
    "isv.SIGN_COUNT_OVER_LIMIT": "too many signatures",
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": "template and signature are of different kinds",
    "isv.TEMPLATE_MISSING_PARAMETERS": "a parameter of the template is missing",
    "isv.TEMPLATE_PARAMS_ILLEGAL": "the parameters are not those of the template",
    "isv.TEMPLATE_COUNT_OVER_LIMIT": "too many templates",
    "isv.SMS_TEST_SIGN_TEMPLATE_LIMIT": "signature or template are for tests alone",
    "isv.SMS_TEST_NUMBER_LIMIT": "signature or template are for test numbers alone",
    "isv.EXTEND_CODE_ERROR": "the extension code is another signature's",
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": "the template is for other countries",
    "isv.DENY_IP_RANGE": "our address is not in the country",
    "isv.DAY_LIMIT_CONTROL": "the account's limit of this day is reached",
    "isv.MONTH_LIMIT_CONTROL": "the account's limit of this month is reached",
    "isv.SMS_CONTENT_ILLEGAL": "the text must not be sent",
    "isv.INVALID_JSON_PARAM": "the parameters are no JSON",
    "isv.INVALID_PARAMETERS": "a parameter is not valid",
    "isv.UNSUPPORTED_CONTENT": "the text has what is not supported",
    "InvalidAccessKeyId.NotFound": "there is no such access key",
    "InvalidAccessKeyId.Inactive": "the access key is disabled",
    "InvalidAccessKeyId": "there is no such access key",
    "SignatureDoesNotMatch": "the secret is wrong",
    "IncompleteSignature": "the signature is not whole",
    "InvalidTimeStamp.Expired": "our clock is wrong",
    "SignatureNonceUsed": "the request came twice",
    "Forbidden.RAM": "the access key may not send",
    "NoPermission": "the access key may not send",
    "Forbidden.AccountDisabled": "the account is disabled",
}
_THROTTLED = {
    "Throttling": "too many requests",
    "Throttling.User": "too many requests",
    "Throttling.Api": "too many requests",
    "isv.FLOW_CONTROL": "too many requests",
}
_TEMPORARY = {
    "isv.BUSINESS_LIMIT_CONTROL": "too many messages to a number in a short time",
    "ServiceUnavailable": "not available now",
    "isp.GATEWAY_ERROR": "their gateway has an error",
}
_PERMANENT = {
    "isv.MOBILE_NUMBER_ILLEGAL": "a number is not valid",
    "isv.MOBILE_COUNT_OVER_LIMIT": "too many numbers",
    "isv.BLACK_KEY_CONTROL_LIMIT": "a value has a forbidden word",
    "isv.PARAM_LENGTH_LIMIT": "a value is too long",
    "isv.PARAM_NOT_SUPPORT_URL": "a value has a link",
    "isv.DUPLICATION": "the same was sent just before",
    "isv.PHONENUMBER_BLACKLIST": "a number is blocked",
    "isv.BLACKLIST": "a number is blocked",
}

WAITS, FAILED, ARRIVED = 1, 2, 3
STATES = {WAITS: Delivery.ACCEPTED, FAILED: Delivery.UNDELIVERED, ARRIVED: Delivery.DELIVERED}
"""What QuerySendDetails says of a message."""


def verdict(code: str, status: int = 200) -> Verdict:
    """Of a code, and of the HTTP status it came with. After an error of theirs, as isp.SYSTEM_ERROR, nobody knows."""
    for found, verdict in (
        (_OURS, Verdict.OURS),
        (_THROTTLED, Verdict.THROTTLED),
        (_TEMPORARY, Verdict.TEMPORARY),
        (_PERMANENT, Verdict.PERMANENT),
    ):
        if code in found:
            return verdict
    if code.startswith("Throttling"):
        return Verdict.THROTTLED
    if code.startswith("isp.") or status >= 500:
        return Verdict.DOUBT
    return Verdict.OURS if status in {401, 403} else Verdict.PERMANENT
