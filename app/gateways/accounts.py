"""The gateways file: each account that messages can go out by, under a name of the operator's choice (TOML)."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator

from app.domain.campaign import LOG, MAX_NAME_LETTERS, is_name
from app.domain.receipt import RECEIPTS_FOR_S
from app.errors import ConfigError
from app.gateways.aliyun.account import AliyunAccount
from app.gateways.priced_account import PricedAccount
from app.gateways.tencent.account import TencentAccount
from app.gateways.twilio.account import TwilioAccount
from app.gateways.wrong import Wrong, secret
from app.sentence import Sentence


class SmppAccount(PricedAccount):
    """An account at an operator's message centre, SMPP 3.4."""

    kind: Literal["smpp"]
    host: str = Field(min_length=1)
    """Name or address of the message centre."""
    port: int = Field(default=2775, ge=1, le=65535)
    """Its TCP port."""
    system_id: str = Field(min_length=1, max_length=15)
    """The account's name there."""
    password_env: str = ""
    """Environment variable that holds the password, 8 octets at most by the standard."""
    password_file: Path | None = None
    """File that holds it, instead."""
    system_type: str = Field(default="", max_length=12)
    """Kind of system, where the operator asks for one."""
    bind: Literal["transceiver", "separate"] = "transceiver"
    """`transceiver`: each session sends and receives; `separate`: transmitters, and a receiver of its own."""
    binds: int = Field(default=1, ge=1, le=64)
    """Sessions that send at once, over all processes and hosts; one more receives."""
    window: int = Field(default=10, ge=1, le=10_000)
    """Submissions in each session that may be without an answer."""
    rate: float | None = Field(default=None, ge=0.1, le=1_000_000)
    """Parts per second for the account, over all processes and hosts; none: no limit."""
    source: str = Field(default="", max_length=20)
    """Address that the messages come from."""
    source_ton: int = Field(default=0, ge=0, le=6)
    """Type of that number. Source: SMPP 3.4 section 5.2.5."""
    source_npi: int = Field(default=0, ge=0, le=18)
    """Its numbering plan. Source: SMPP 3.4 section 5.2.6."""
    dest_ton: int = Field(default=1, ge=0, le=6)
    """Type of the numbers that messages go to; 1 is international."""
    dest_npi: int = Field(default=1, ge=0, le=18)
    """Their numbering plan; 1 is E.164."""
    country_code: str = Field(default="86", pattern="^[0-9]{0,3}$")
    """Digits put before each number; '' where the operator wants national numbers."""
    signature: str = Field(default="", max_length=32)
    """Put before each text that does not begin with it. Who opts out does so for all gateways of one signature."""
    max_parts: int = Field(default=10, ge=1, le=255)
    """Longest message, in SMS."""
    long_messages: Literal["udh", "payload"] = "udh"
    """How a message of several parts goes out: as parts with a header, or whole in `message_payload`."""
    receipts: bool = True
    """Ask for delivery receipts."""
    receipts_for_s: int = Field(default=RECEIPTS_FOR_S, ge=60, le=2_592_000)
    """How long receipts may come after a campaign is finished. Then it is settled, and what nobody asked for is
    forgotten."""
    receipt_ids: Literal["as-is", "hex-to-decimal", "decimal-to-hex"] = "as-is"
    """How the message ids in receipts become those in the answers."""
    unknown: Literal["hold", "resend"] = "hold"
    """What a message becomes of which nobody knows whether it was taken: `hold` waits for a receipt or a person,
    `resend` tries it again, and some get it twice."""
    answer_timeout_s: float = Field(default=10.0, ge=0.5, le=300)
    """How long an answer may take before the message is in doubt. Default: SMS_ANSWER_TIMEOUT_S."""
    validity_s: int = Field(default=86_400, ge=60, le=604_800)
    """How long a message is worth sending: we try again as long, and so does the operator."""
    enquire_link_s: float = Field(default=30.0, ge=1, le=3600)
    """Silence after which the other side is asked whether it is there."""
    tls: bool = False
    """Speak TLS."""
    tls_ca: Path | None = None
    """Certificates, PEM, that the centre's is trusted by. Default: the system's."""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if bool(self.password_env) == bool(self.password_file):
            raise Wrong("gateways.one_password")
        if self.tls_ca and not self.tls:
            raise Wrong("gateways.tls_ca_alone")
        return self

    @property
    def opt_out_key(self) -> str:
        """What opt-outs of this account are noted under; see app/store/opt_outs.py."""
        return self.signature or "-"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def login(self) -> str:
        """Whose secret it is."""
        return self.system_id

    def password(self) -> SecretStr:
        """Read where it lies. Raises ConfigError, without it."""
        return secret(self.password_env, self.password_file)


Account = SmppAccount | TwilioAccount | AliyunAccount | TencentAccount
KINDS: dict[str, type[Account]] = {
    "smpp": SmppAccount,
    "aliyun": AliyunAccount,
    "tencent": TencentAccount,
    "twilio": TwilioAccount,
}


def load(path: Path | None, *, answer_timeout_s: float = 10.0) -> dict[str, Account]:
    """Every account, by name; none without a file. Raises ConfigError with every problem at once.

    `answer_timeout_s` is what counts where an account says nothing of it.
    """
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Sentence("gateways.unreadable", path=path, why=error.strerror)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Sentence("gateways.no_toml", path=path, why=error)]) from None
    accounts: dict[str, Account] = {}
    problems: list[Sentence] = []
    for name, fields in found.items():
        try:
            accounts[name] = _account(name, fields, answer_timeout_s)
        except ValueError as error:
            kind = fields.get("kind", "") if isinstance(fields, dict) else ""
            found_wrong = _sentences(error, str(kind))
            problems += [Sentence("gateways.account", path=path, name=name, what=each) for each in found_wrong]
    if problems:
        raise ConfigError(problems)
    return accounts


def _account(name: str, fields: Any, answer_timeout_s: float) -> Account:
    if not is_name(name):
        raise Wrong("gateways.bad_name", most=MAX_NAME_LETTERS)
    if name == LOG:
        raise Wrong("gateways.name_taken")
    if not isinstance(fields, dict):
        raise Wrong("gateways.no_table")
    kind = fields.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        known = ", ".join(KINDS)
        raise Wrong("gateways.other_kind", kind=kind, known=known) if kind else Wrong("gateways.no_kind", known=known)
    return model.model_validate({"answer_timeout_s": answer_timeout_s, **fields})


def _sentences(error: ValueError, kind: str) -> list[Sentence]:
    """Without values: one of them may be a password that was written where it does not belong."""
    if not isinstance(error, ValidationError):
        return [error.sentence if isinstance(error, Wrong) else Sentence("plain", text=error)]
    found = []
    for each in error.errors(include_input=False, include_url=False):
        field = ".".join(map(str, each["loc"]))
        cause = each.get("ctx", {}).get("error")
        if isinstance(cause, Wrong):
            found.append(cause.sentence)
        elif each["type"] == "extra_forbidden":
            found.append(Sentence("gateways.no_setting", field=field, kind=kind))
        elif each["type"] == "missing":
            found.append(Sentence("gateways.missing", field=field))
        else:
            found.append(Sentence("gateways.other", field=field, why=each["msg"]))
    return found
