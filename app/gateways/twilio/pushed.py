"""Receipts that Twilio sends by itself: a form, with a signature over the address that we gave and all fields.

Sources: twilio.com/docs/usage/security (X-Twilio-Signature: HMAC-SHA1 by the account's auth token over the URL,
followed by names and values of the fields, by name); twilio.com/docs/messaging/guides/track-outbound-message-status
(the fields).
"""

import base64
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from app.domain.delivery import Delivery
from app.domain.receipt import Receipt
from app.gateways.cloud_network import national
from app.gateways.twilio import codes
from app.gateways.twilio.account import TwilioAccount

MOST_FIELDS = 100
_OURS = re.compile(r"ref=((?:\d+-\d+|trial-[0-9a-f]+)-\d+)")
"""What we had added to the address."""


class PushedByTwilio:
    """See Pushed."""

    signature_header = "x-twilio-signature"

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account
        self._token = account.auth_token().get_secret_value().encode()

    def read(self, query: str, body: bytes, signature: str) -> list[Receipt] | None:
        """See Pushed. The fields have to be known before their signature can be looked at, and nothing else is."""
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:  # too many, or no text
            return None
        if not any(hmac.compare_digest(each, signature.encode()) for each in self._signatures(query, fields)):
            return None
        return self._receipts(query, dict(fields))

    def _signatures(self, query: str, fields: list[tuple[str, str]]) -> list[bytes]:
        """With the port and without, for Twilio does as it likes."""
        found = urlsplit(self._account.status_callback)
        host = f"[{found.hostname}]" if ":" in (found.hostname or "") else found.hostname or ""
        port = found.port or {"https": 443, "http": 80}[found.scheme]
        signed = "".join(name + value for name, value in sorted(set(fields)))
        return [
            base64.b64encode(hmac.digest(self._token, f"{address}?{query}{signed}".encode(), "sha1"))
            for address in (
                found._replace(netloc=host).geturl(),
                found._replace(netloc=f"{host}:{port}").geturl(),
                self._account.status_callback,
            )
        ]

    def _receipts(self, query: str, fields: dict[str, str]) -> list[Receipt]:
        state = codes.STATES.get(fields.get("MessageStatus", ""))
        ours = _OURS.fullmatch(query)
        is_known = fields.get("AccountSid") == self._account.account_sid and fields.get("MessageSid")
        if state is None or not ours or not is_known:
            return []
        failed = state not in {Delivery.DELIVERED, Delivery.ACCEPTED}
        error = fields.get("ErrorCode") or fields["MessageStatus"] if failed else ""
        mobile = national(fields.get("To", ""), self._account.country_code)
        return [Receipt(fields["MessageSid"], mobile, state, error, datetime.now(UTC), reference=ours[1])]
