"""Tencent's error codes and what each says about a message. Pure.

Sources: cloud.tencent.com/document/product/382/55981 (SendSms, its error codes), as listed in the SDK's
sms/v20210111/errorcodes.py; cloud.tencent.com/document/product/382/52068 (common codes).
"""

from app.domain.delivery import Delivery
from app.gateways.verdict import Verdict

OK = "Ok"
_OURS = {
    "FailedOperation.InsufficientBalanceInSmsPackage": "the package of messages is used up",
    "FailedOperation.MissingSignature": "there is no signature",
    "FailedOperation.SignatureIncorrectOrUnapproved": "the signature is not approved",
    "FailedOperation.SignIdNotExist": "there is no such signature",
    "FailedOperation.TemplateIncorrectOrUnapproved": "the template is not approved, or is another one",
    "FailedOperation.TemplateUnapprovedOrNotExist": "there is no such approved template",
    "FailedOperation.TemplateIdNotExist": "there is no such template",
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": "the parameters are not those of the template",
    "FailedOperation.MarketingSendTimeConstraint": "advertising is sent from 8 to 22 o'clock alone",
    "FailedOperation.NotEnterpriseCertification": "the account is not certified",
    "FailedOperation.QualificationIdNotApproved": "the qualification is not approved",
    "FailedOperation.FailResolvePacket": "the request cannot be read",
    "FailedOperation.JsonParseFail": "the request cannot be read",
    "InternalError.RequestTimeException": "our clock is wrong",
    "InternalError.SigFieldMissing": "the signature is missing",
    "InternalError.SigVerificationFail": "the signature is wrong",
    "InternalError.RestApiInterfaceNotExist": "there is no such call",
    "InvalidParameter.AppidAndBizId": "account and application do not fit",
    "InvalidParameterValue.SdkAppIdNotExist": "there is no such application",
    "InvalidParameterValue.UnsupportedTemplateVariable": "the template may not have variables",
    "LimitExceeded.AppDailyLimit": "the application's limit of this day is reached",
    "LimitExceeded.AppMainlandChinaDailyLimit": "the application's limit of this day is reached",
    "LimitExceeded.AppGlobalDailyLimit": "the application's limit of this day is reached",
    "LimitExceeded.DailyLimit": "the account's limit of this day is reached",
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": "the template is for other countries",
}
_THROTTLED = {
    "RequestLimitExceeded": "too many requests",
    "LimitExceeded.GlobalSmsSendingRateLimit": "too many messages at once",
}
_TEMPORARY = {
    "LimitExceeded.PhoneNumberThirtySecondLimit": "too many messages to a number in 30 seconds",
    "LimitExceeded.PhoneNumberOneHourLimit": "too many messages to a number in an hour",
    "LimitExceeded.DeliveryFrequencyLimit": "too many messages to a number in a short time",
    "ResourceUnavailable": "not available now",
}
_OURS_BEGIN = ("AuthFailure", "UnauthorizedOperation")
_DOUBT_BEGIN = ("InternalError", "ServerNetworkError")
"""Theirs; InternalError.Timeout and SendAndRecvFail say in so many words that it may have been sent."""

STATES = {"SUCCESS": Delivery.DELIVERED, "FAIL": Delivery.UNDELIVERED}
"""What a pulled status says. Source: cloud.tencent.com/document/product/382/55979 (PullSmsSendStatus)."""


def verdict(code: str, status: int = 200) -> Verdict:
    """Of a code; any that is not in the tables, as of a number or a value, is for good."""
    for found, verdict in ((_OURS, Verdict.OURS), (_THROTTLED, Verdict.THROTTLED), (_TEMPORARY, Verdict.TEMPORARY)):
        if code in found:
            return verdict
    if code.startswith("RequestLimitExceeded"):
        return Verdict.THROTTLED
    if code.startswith(_OURS_BEGIN):
        return Verdict.OURS
    return Verdict.DOUBT if code.startswith(_DOUBT_BEGIN) or status >= 500 else Verdict.PERMANENT
