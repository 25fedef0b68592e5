"""What accounts at all cloud providers have in common: a secret, an address, how patient we are. Pydantic models."""

from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, model_validator

from app.domain.receipt import RECEIPTS_FOR_S
from app.gateways.priced_account import PricedAccount
from app.gateways.wrong import Wrong, secret


class CloudAccount(PricedAccount):
    """An account that is spoken to by HTTP."""

    at: ClassVar[str] = ""
    """Where the provider is, when `endpoint` does not say so."""

    kind: str
    secret_env: str = ""
    """Environment variable that holds the secret."""
    secret_file: Path | None = None
    """File that holds it, instead."""
    endpoint: str = ""
    """Address in place of the provider's own; `http://` is for loopback alone."""
    tls_ca: Path | None = None
    """Certificates, PEM, that the provider's is trusted by. Default: the SDK's."""
    binds: int = Field(default=4, ge=1, le=64)
    """Shards that send at once, over all processes and hosts."""
    window: int = Field(default=10, ge=1, le=200)
    """Calls of each such shard that may be without an answer."""
    rate: float | None = Field(default=None, ge=0.1, le=1_000_000)
    """Parts per second for the account, over all processes and hosts; none: no limit of ours."""
    country_code: str = Field(default="86", pattern="^[0-9]{1,3}$")
    """Country of the numbers, as its digits."""
    max_parts: int = Field(default=10, ge=1, le=255)
    """Longest message, in SMS."""
    receipts: bool = True
    """Ask what became of messages."""
    receipts_for_s: int = Field(default=RECEIPTS_FOR_S, ge=60, le=2_592_000)
    """How long receipts may come after a campaign is finished. Then it is settled, and what nobody asked for is
    forgotten."""
    receipts_every_s: float = Field(default=10.0, ge=0.2, le=3600)
    """Pause between two such questions."""
    unknown: Literal["hold", "resend"] = "hold"
    """What a message becomes of which nobody knows whether it was taken: `hold` waits for a receipt or a person,
    `resend` tries it again, and some get it twice."""
    connect_timeout_s: float = Field(default=5.0, ge=0.1, le=60)
    """How long connecting may take; nothing was sent then."""
    answer_timeout_s: float = Field(default=10.0, ge=0.5, le=300)
    """How long an answer may take before the messages of the call are in doubt. Default: SMS_ANSWER_TIMEOUT_S."""
    validity_s: int = Field(default=36_000, ge=60, le=604_800)
    """How long a message is worth sending: we try again as long."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if bool(self.secret_env) == bool(self.secret_file):
            raise Wrong("gateways.one_secret")
        if self.endpoint:
            found = parts_of(self.endpoint)
            if found is None or found.scheme not in {"http", "https"} or found.path.strip("/"):
                raise Wrong("gateways.bad_endpoint", endpoint=self.endpoint)
            if found.scheme == "http" and not _is_loopback(found.hostname or ""):
                raise Wrong("gateways.plain_endpoint", endpoint=self.endpoint)
        return self

    @property
    def url(self) -> str:
        """Where it is spoken to, without a slash at the end."""
        return (self.endpoint or self.at).rstrip("/")

    @property
    def address(self) -> str:
        """Host and port."""
        found = urlsplit(self.url)
        return f"{found.hostname}:{found.port or (443 if found.scheme == 'https' else 80)}"

    @property
    def connects_within_s(self) -> float:
        """Part of the time for an answer, so that who could not connect is not taken for who got no answer."""
        return min(self.connect_timeout_s, self.answer_timeout_s * 0.7)

    def secret(self) -> SecretStr:
        """Read where it lies. Raises ConfigError, without it."""
        return secret(self.secret_env, self.secret_file)


def parts_of(address: str) -> SplitResult | None:
    """Of a URL; None for one that nobody can connect to, for it has no host, or a port that is none. Pure."""
    try:
        found = urlsplit(address)
        return found if found.hostname and found.port != 0 else None
    except ValueError:  # of a port that is none
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
