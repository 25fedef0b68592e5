"""An account at Twilio, as the gateways file has it."""

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.gateways.cloud_account import CloudAccount, parts_of
from app.gateways.wrong import Wrong, secret


class TwilioAccount(CloudAccount):
    """An account at Twilio."""

    at: ClassVar[str] = "https://api.twilio.com"

    kind: Literal["twilio"]
    account_sid: str = Field(pattern="^AC[0-9a-fA-F]{32}$")
    """The account's SID; the secret is its auth token, or that of `api_key`."""
    api_key: str = Field(default="", pattern="^(SK[0-9a-fA-F]{32})?$")
    """SID of an API key to log in with, in place of the account's auth token."""
    source: str = Field(default="", max_length=16)
    """Number (E.164) or sender id that the messages come from."""
    messaging_service: str = Field(default="", pattern="^(MG[0-9a-fA-F]{32})?$")
    """SID of a messaging service that chooses it, instead."""
    signature: str = Field(default="", max_length=32)
    """Put before each text that does not begin with it. Who opts out does so for all gateways of one signature."""
    status_callback: str = Field(default="", max_length=500, pattern="^(https?://[^ ?#]+)?$")
    """URL that Twilio calls with each receipt; our own id of the message is added as `?ref=`. `python -m app web` takes
    them at `/api/v1/receipts/` and the gateway's name, where a proxy of yours leads this URL."""
    auth_token_env: str = ""
    """Environment variable that holds the account's auth token, where `api_key` is set: Twilio signs with that."""
    validity_s: int = Field(default=36_000, ge=60, le=36_000)
    """How long a message is worth sending: we try again as long, and so does Twilio, which allows 36,000."""

    @model_validator(mode="after")
    def _has_one_sender(self) -> Self:
        if bool(self.source) == bool(self.messaging_service):
            raise Wrong("gateways.one_sender")
        if self.status_callback and parts_of(self.status_callback) is None:
            raise Wrong("gateways.bad_callback", address=self.status_callback)
        return self

    def auth_token(self) -> SecretStr:
        """What Twilio signs with. Raises ConfigError, without it."""
        return secret(self.auth_token_env, None) if self.api_key else self.secret()

    @property
    def login(self) -> str:
        """Whose secret it is."""
        return self.api_key or self.account_sid

    @property
    def opt_out_key(self) -> str:
        """What opt-outs of this account are noted under; see app/store/opt_outs.py."""
        return self.signature or "-"
