"""What each provider's codes say: whom they refuse, and whether trying again would help."""

import ssl

import pytest

from app.gateways.aliyun import codes as aliyun
from app.gateways.not_sent import is_before_sending
from app.gateways.tencent import codes as tencent
from app.gateways.twilio import codes as twilio
from app.gateways.verdict import Verdict


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (aliyun.verdict("isv.AMOUNT_NOT_ENOUGH"), Verdict.OURS),
        (aliyun.verdict("SignatureDoesNotMatch", 400), Verdict.OURS),
        (aliyun.verdict("Something.New", 403), Verdict.OURS),
        (aliyun.verdict("Throttling.User", 400), Verdict.THROTTLED),
        (aliyun.verdict("Throttling.SomeNewKind", 503), Verdict.THROTTLED),
        (aliyun.verdict("isv.BUSINESS_LIMIT_CONTROL"), Verdict.TEMPORARY),
        (aliyun.verdict("isv.MOBILE_NUMBER_ILLEGAL"), Verdict.PERMANENT),
        (aliyun.verdict("isv.SOMETHING_NEW"), Verdict.PERMANENT),
        (aliyun.verdict("isp.SYSTEM_ERROR"), Verdict.DOUBT),
        (aliyun.verdict("InternalError", 500), Verdict.DOUBT),
        (tencent.verdict("FailedOperation.InsufficientBalanceInSmsPackage"), Verdict.OURS),
        (tencent.verdict("AuthFailure.SignatureFailure"), Verdict.OURS),
        (tencent.verdict("UnauthorizedOperation.ServiceSuspendDueToArrears"), Verdict.OURS),
        (tencent.verdict("RequestLimitExceeded.UinLimitExceeded"), Verdict.THROTTLED),
        (tencent.verdict("LimitExceeded.PhoneNumberThirtySecondLimit"), Verdict.TEMPORARY),
        (tencent.verdict("LimitExceeded.PhoneNumberDailyLimit"), Verdict.PERMANENT),
        (tencent.verdict("InternalError.Timeout"), Verdict.DOUBT),
        (tencent.verdict("InternalError.SigVerificationFail"), Verdict.OURS),
        (twilio.verdict(401, "20003"), Verdict.OURS),
        (twilio.verdict(429, "20429"), Verdict.THROTTLED),
        (twilio.verdict(429, ""), Verdict.THROTTLED),
        (twilio.verdict(400, "21610"), Verdict.PERMANENT),
        (twilio.verdict(400, "99999"), Verdict.PERMANENT),
        (twilio.verdict(500, "500"), Verdict.DOUBT),
        (twilio.verdict(408, "408"), Verdict.DOUBT),
        (twilio.verdict(200, ""), Verdict.DOUBT),
    ],
)
def test_a_code_says_what_to_do_and_one_of_theirs_that_nobody_knows(verdict, expected):
    assert verdict is expected


def raised(error, of=None):
    try:
        try:
            raise of or OSError("whatever")
        except OSError:
            raise error from None
    except type(error) as caught:
        return caught


def test_only_what_happened_before_there_was_a_connection_was_not_sent():
    class NewConnectionError(Exception):
        """As urllib3 names it."""

    assert is_before_sending(raised(ValueError("an SDK's own"), ConnectionRefusedError()))
    assert is_before_sending(ValueError(NewConnectionError()))
    assert is_before_sending(raised(ValueError("x"), ssl.SSLCertVerificationError()))
    wrapped = ValueError("as Aliyun's SDK keeps it")
    wrapped.inner_exception = raised(ValueError("x"), ConnectionRefusedError())
    assert is_before_sending(wrapped)
    assert not is_before_sending(raised(ValueError("x"), ConnectionResetError()))
    assert not is_before_sending(raised(ValueError("x"), ssl.SSLError("decryption failed")))
    assert not is_before_sending(TimeoutError("read timed out"))
