"""Twilio's own SDK, on asyncio: connections kept, time limits, no retries of its own, nothing logged of its own."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.gateways.account_network import trusting
from app.gateways.failures import NotSent, Refusal, Unanswered
from app.gateways.twilio.account import TwilioAccount

_silent = logging.getLogger(f"{__name__}.sdk")
_silent.setLevel(logging.ERROR)  # the SDK logs numbers at info

PAGE_ROWS = 1_000
"""Most that a page of the list may have. Source: twilio.com/docs/usage/twilios-response, paging."""


class _Limited:
    """A session whose requests all have these limits: the SDK asks for none."""

    def __init__(self, session: aiohttp.ClientSession, limits: aiohttp.ClientTimeout) -> None:
        self._session = session
        self._limits = limits

    async def request(self, **options: Any) -> aiohttp.ClientResponse:
        return await self._session.request(**{**options, "timeout": self._limits})


class TwilioClient:
    """For one event loop. Raises NotSent, Refusal and Unanswered, and nothing else."""

    def __init__(self, account: TwilioAccount, *, connections: int) -> None:
        self._account = account
        http = AsyncTwilioHttpClient(pool_connections=False, logger=_silent)
        limits = aiohttp.ClientTimeout(total=2 * account.answer_timeout_s, sock_connect=account.connects_within_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=trusting(account.tls_ca) if account.tls_ca else True)
        )
        http.session = _Limited(self._session, limits)
        secret = account.secret().get_secret_value()
        client = Client(account.login, secret, account.account_sid, http_client=http, environment={"": ""})
        client.api.base_url = account.url
        self._messages = client.api.v2010.accounts(account.account_sid).messages

    async def send(self, mobile: int, text: str, reference: str) -> tuple[str, str]:
        """Its SID and its status."""
        account = self._account
        sender: dict[str, Any] = {"from_": account.source}
        if account.messaging_service:
            sender = {"messaging_service_sid": account.messaging_service}
        if account.status_callback:
            sender["status_callback"] = f"{account.status_callback}?ref={reference}"
        try:
            made = await self._messages.create_async(
                to=f"+{account.country_code}{mobile}", body=text, validity_period=account.validity_s, **sender
            )
        except Exception as error:
            raise _translated(error) from error
        if not made.sid:
            raise Unanswered("an answer without a SID")
        return made.sid, str(made.status)

    async def page(self, since: datetime, after: str) -> tuple[list[Mapping[str, Any]], str]:
        """A page of messages that were sent since then, the latest first, and the address of the next one."""
        source: dict[str, Any] = {"from_": self._account.source} if self._account.source else {}
        try:
            if after:
                page = await self._messages.get_page_async(after)
            else:
                page = await self._messages.page_async(date_sent_after=since, page_size=PAGE_ROWS, **source)
        except Exception as error:
            raise _translated(error) from error
        found: list[Mapping[str, Any]] = [
            {
                "sid": each.sid,
                "to": each.to,
                "status": str(each.status),
                "error_code": each.error_code,
                "service": each.messaging_service_sid,
                "direction": str(each.direction),
                "from": each.from_,
            }
            for each in page
        ]
        return found, str(page.next_page_url or "")

    async def close(self) -> None:
        """Its connections."""
        await self._session.close()


def _translated(error: Exception) -> Exception:
    if isinstance(error, TwilioRestException):
        return Refusal(error.status, str(error.code or ""), error.msg)
    if isinstance(error, TwilioServiceException):
        return Refusal(error.status, str(error.code), error.detail or error.title)
    if isinstance(error, TwilioException) and len(error.args) == 2 and isinstance(error.args[1], Response):
        return Refusal(error.args[1].status_code, "", str(error.args[0]))  # a page that cannot be had
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSent(str(error))
    return Unanswered(type(error).__name__)
