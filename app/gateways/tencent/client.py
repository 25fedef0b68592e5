"""Tencent's own SDK, in threads: a connection for each is kept, time limits, each call made once."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models
from tencentcloud.sms.v20210111.sms_client import SmsClient

from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.not_sent import is_before_sending
from app.gateways.tencent.account import TencentAccount

MOST_NUMBERS = 200
"""Of one SendSms. Source: cloud.tencent.com/document/product/382/55981."""
MOST_PULLED = 100
"""Rows of one pull."""


class TencentClient:
    """May be used by several threads. Raises NotSent, Refusal and Unanswered, and nothing else."""

    def __init__(self, account: TencentAccount) -> None:
        self._account = account
        self._secret = account.secret().get_secret_value()
        self._of_thread = threading.local()

    def send(
        self, template: str, signature: str, values: Sequence[str], reference: str, mobiles: Sequence[int]
    ) -> list[Any]:
        """What it says of each number: SerialNo, PhoneNumber, Code, Message."""
        request = models.SendSmsRequest()
        request.PhoneNumberSet = [self._international(each) for each in mobiles]
        request.SmsSdkAppId = self._account.app_id
        request.SignName = signature
        request.TemplateId = template
        request.TemplateParamSet = list(values)
        request.SessionContext = reference
        return self._call("SendSms", request).SendStatusSet or []

    def pull_states(self) -> list[Any]:
        """News of messages, each of which is told once."""
        request = models.PullSmsSendStatusRequest()
        request.Limit, request.SmsSdkAppId = MOST_PULLED, self._account.app_id
        return self._call("PullSmsSendStatus", request).PullSmsSendStatusSet or []

    def pull_replies(self) -> list[Any]:
        """What people answered, each told once."""
        request = models.PullSmsReplyStatusRequest()
        request.Limit, request.SmsSdkAppId = MOST_PULLED, self._account.app_id
        return self._call("PullSmsReplyStatus", request).PullSmsReplyStatusSet or []

    def states_of(self, mobile: int, since: datetime) -> list[Any]:
        """News of the messages to a number, as often as it is asked for; the first hundred since then."""
        request = models.PullSmsSendStatusByPhoneNumberRequest()
        request.PhoneNumber, request.BeginTime = self._international(mobile), int(since.timestamp())
        request.Offset, request.Limit, request.SmsSdkAppId = 0, MOST_PULLED, self._account.app_id
        return self._call("PullSmsSendStatusByPhoneNumber", request).PullSmsSendStatusSet or []

    def _international(self, mobile: int) -> str:
        return f"+{self._account.country_code}{mobile}"

    @property
    def _client(self) -> SmsClient:
        """Of this thread, for its session is."""
        if not hasattr(self._of_thread, "client"):
            account, found = self._account, urlsplit(self._account.url)
            limits = (account.connects_within_s, account.answer_timeout_s)
            certificates = str(account.tls_ca) if account.tls_ca else None
            http = HttpProfile(found.scheme, found.netloc, "POST", limits, keepAlive=True, certification=certificates)
            credential = Credential(account.secret_id, self._secret)
            self._of_thread.client = SmsClient(credential, account.region, ClientProfile(httpProfile=http))
        return self._of_thread.client

    def _call(self, name: str, request: Any) -> Any:
        try:
            return getattr(self._client, name)(request)
        except TencentCloudSDKException as error:
            if is_before_sending(error):
                raise NotSent(str(error)) from error
            # The SDK gives half an answer, or none, the same class; only what Tencent said itself has its request's id.
            if not error.requestId:
                raise Unanswered(str(error.code)) from error
            raise Refusal(200, str(error.code), _said(error.message)) from error
        except Exception as error:
            raise Unanswered(type(error).__name__) from error


def _said(message: object) -> str:
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
