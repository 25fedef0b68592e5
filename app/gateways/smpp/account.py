"""How a message centre is spoken to: where it is, who we are, and how patient we are. A frozen value."""

import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import ConfigError
from app.gateways.smpp.commands import FIELDS, Command
from app.sentence import Sentence


class Bind(StrEnum):
    """What a session is for."""

    TRANSMITTER = "transmitter"
    """To send."""
    RECEIVER = "receiver"
    """To get receipts and replies."""
    TRANSCEIVER = "transceiver"
    """Both."""


COMMANDS = {
    Bind.TRANSMITTER: Command.BIND_TRANSMITTER,
    Bind.RECEIVER: Command.BIND_RECEIVER,
    Bind.TRANSCEIVER: Command.BIND_TRANSCEIVER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of a message centre, for one session. Raises ConfigError with all that is wrong."""

    host: str
    port: int = 2775
    system_id: str
    password: str = field(default="", repr=False)
    system_type: str = ""
    address_range: str = ""
    bind: Bind = Bind.TRANSCEIVER
    window: int = 10
    """Most parts that are submitted and not answered, 1 to 100,000."""
    answer_timeout_s: float = 10.0
    """How long an answer may take before it counts as missing, and how long a bind or an enquire_link may."""
    enquire_link_s: float = 30.0
    """After so long without a word from the message centre it is asked whether it is there."""
    connect_timeout_s: float = 10.0
    first_pause_s: float = 1.0
    """Before the second try to connect; each further pause is twice as long."""
    longest_pause_s: float = 30.0
    waiting_delivers: int = 2000
    """At so many receipts and replies that wait for their commit, nothing more is read until half of them are done."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None
    """The name in the certificate; default: the host."""

    def __post_init__(self) -> None:
        if self.bind in list(Bind):
            object.__setattr__(self, "bind", Bind(self.bind))  # a plain word will do
        sizes = {each.name: each.size for each in FIELDS[Command.BIND_TRANSCEIVER]}
        rules = {
            "host must be given": bool(self.host),
            "port must be 1 to 65535": 1 <= self.port <= 65_535,
            f"bind must be one of {', '.join(Bind)}": self.bind in list(Bind),
            "system_id must be given": bool(self.system_id),
            "window must be 1 to 100000": 1 <= self.window <= 100_000,
            "waiting_delivers must be 1 to 100000": 1 <= self.waiting_delivers <= 100_000,
        }
        for name in ("system_id", "password", "system_type", "address_range"):
            text = getattr(self, name)
            rules[f"{name} must be ASCII, {sizes[name] - 1} characters at most"] = (
                text.isascii() and "\0" not in text and len(text) < sizes[name]
            )
        times = ("answer_timeout_s", "enquire_link_s", "connect_timeout_s", "first_pause_s", "longest_pause_s")
        rules |= {f"{name} must be above 0, 86400 at most": 0 < getattr(self, name) <= 86_400 for name in times}
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise ConfigError([Sentence("gateways.smpp_account", account=self.system_id, what="; ".join(broken))])

    @property
    def where(self) -> str:
        """The message centre's address, for the log."""
        return f"{self.host}:{self.port}"
