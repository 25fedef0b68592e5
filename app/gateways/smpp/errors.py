"""What can go wrong between us and a message centre, grouped by who must act."""

from app.errors import AppError
from app.gateways.smpp import status


class SmppError(AppError):
    """Base of what the SMPP gateway raises, for the server's log: a text in the protocol's own words."""

    def __init__(self, text: str) -> None:
        self._text = text
        super().__init__("smpp", text=text)

    def __str__(self) -> str:
        return self._text


# ── the operator must act ───────────────────────────────────────────────────────────────────────


class Unencodable(SmppError):
    """A value does not fit into its field; the text names the field."""


class BindRefused(SmppError):
    """The message centre answered our bind with an error; `status` says which."""

    def __init__(self, where: str, code: int) -> None:
        self.status = code
        super().__init__(f"the message centre at {where} refuses to be bound: {status.explain(code)}")


class LinkUnusable(SmppError):
    """The message centre cannot be reached, or does not answer as one."""


# ── the peer broke the protocol ─────────────────────────────────────────────────────────────────


class ProtocolError(SmppError):
    """Bytes that are no PDU of SMPP 3.4; `status` is what to answer with."""

    status = status.ESME_RSYSERR


class BadLength(ProtocolError):
    """A header announced a length that no PDU has, so nobody knows where the next one begins. Close the link."""

    status = status.ESME_RINVCMDLEN

    def __init__(self, announced_bytes: int, limit_bytes: int) -> None:
        self.announced_bytes = announced_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"a PDU of {announced_bytes} bytes, there are 16 to {limit_bytes}")


class UnknownCommand(ProtocolError):
    """A command id that is not of SMPP 3.4, or not one that we speak."""

    status = status.ESME_RINVCMDID

    def __init__(self, command: int) -> None:
        self.command = command
        super().__init__(f"unknown command {command:#010x}")


class BadBody(ProtocolError):
    """A PDU's fields do not end where they must."""

    status = status.ESME_RINVMSGLEN


class BadTlv(ProtocolError):
    """Behind a PDU's fields stands what is no list of optional parameters."""

    status = status.ESME_RINVOPTPARSTREAM
