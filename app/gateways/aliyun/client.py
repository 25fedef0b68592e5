"""Aliyun's own SDK, in threads: connections kept, time limits, each call made once."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from alibabacloud_dysmsapi20170525 import models
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.exceptions import ResponseException
from darabonba.runtime import RuntimeOptions

from app.gateways.aliyun.account import AliyunAccount
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.not_sent import is_before_sending

MOST_NUMBERS = 100
"""Of one SendBatchSms. Source: help.aliyun.com/document_detail/102364.html, as is that it is not idempotent."""
MOST_DETAILS = 50
"""Rows of a page of QuerySendDetails."""


class One(NamedTuple):
    """A message of a batch."""

    mobile: int
    values: dict[str, str]


class AliyunClient:
    """May be used by several threads. Raises NotSent, Refusal and Unanswered, and nothing else."""

    def __init__(self, account: AliyunAccount, *, connections: int) -> None:
        found = urlsplit(account.url)
        self._client = Client(
            Config(
                access_key_id=account.access_key_id,
                access_key_secret=account.secret().get_secret_value(),
                endpoint=found.netloc,
                protocol=found.scheme,
            )
        )
        self._runtime = RuntimeOptions(
            autoretry=False,
            max_attempts=1,
            connect_timeout=int(account.connects_within_s * 1000),
            read_timeout=int(account.answer_timeout_s * 1000),
            max_idle_conns=connections,
            ca=str(account.tls_ca) if account.tls_ca else None,
        )

    def send(self, template: str, signature: str, reference: str, batch: Sequence[One]) -> str:
        """The BizId of all of them together."""
        request = models.SendBatchSmsRequest(
            phone_number_json=_json([str(each.mobile) for each in batch]),
            sign_name_json=_json([signature] * len(batch)),
            template_code=template,
            template_param_json=_json([each.values for each in batch]) if batch[0].values else None,
            out_id=reference,
        )
        body = self._call(self._client.send_batch_sms_with_options, request)
        if not body.biz_id:
            raise Unanswered("an answer without a BizId")
        return str(body.biz_id)

    def details(self, mobile: int, day: datetime, biz_id: str = "") -> list[Any]:
        """What became of the messages to a number on this day (in China), of one BizId or of all."""
        found: list[Any] = []
        while True:
            request = models.QuerySendDetailsRequest(
                phone_number=str(mobile),
                send_date=f"{day:%Y%m%d}",
                biz_id=biz_id or None,
                page_size=MOST_DETAILS,
                current_page=len(found) // MOST_DETAILS + 1,
            )
            body = self._call(self._client.query_send_details_with_options, request)
            page = (body.sms_send_detail_dtos and body.sms_send_detail_dtos.sms_send_detail_dto) or []
            found += page
            if len(page) < MOST_DETAILS:
                return found

    def _call(self, call: Any, request: Any) -> Any:
        try:
            body = call(request, self._runtime).body
        except ResponseException as error:
            if error.code in {None, "", "None"}:  # not theirs: of something on the way
                raise Unanswered(f"http_{error.status_code}") from error
            raise Refusal(error.status_code or 0, str(error.code), str(error.message or "")) from error
        except Exception as error:
            raise NotSent(str(error)) if is_before_sending(error) else Unanswered(type(error).__name__) from error
        if body is None or not body.code:
            raise Unanswered("an answer without a code")
        if body.code != "OK":
            raise Refusal(200, str(body.code), str(body.message or ""))
        return body


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
