"""Command status codes of SMPP 3.4: their names, what they mean, and what to do about them. Pure.

Source: SMPP 3.4, section 5.1.3.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a status says about trying again."""

    OK = "ok"
    PERMANENT = "permanent"
    """The same again would be refused again."""
    TEMPORARY = "temporary"
    """The same may be accepted later."""
    THROTTLED = "throttled"
    """We are too fast; it is no attempt."""


ESME_ROK = 0x00
ESME_RINVCMDLEN = 0x02
ESME_RINVCMDID = 0x03
ESME_RINVBNDSTS = 0x04
ESME_RALYBND = 0x05
ESME_RSYSERR = 0x08
ESME_RBINDFAIL = 0x0D
ESME_RINVPASWD = 0x0E
ESME_RINVSYSID = 0x0F
ESME_RMSGQFUL = 0x14
ESME_RINVDSTADR = 0x0B
ESME_RINVMSGLEN = 0x01
ESME_RTHROTTLED = 0x58
ESME_RX_T_APPN = 0x64
ESME_RINVOPTPARSTREAM = 0xC0

_PERMANENT = {
    0x01: ("ESME_RINVMSGLEN", "the message's length is invalid"),
    0x02: ("ESME_RINVCMDLEN", "the command's length is invalid"),
    0x03: ("ESME_RINVCMDID", "the command is unknown"),
    0x06: ("ESME_RINVPRTFLG", "the priority is invalid"),
    0x07: ("ESME_RINVREGDLVFLG", "registered_delivery is invalid"),
    0x0A: ("ESME_RINVSRCADR", "the source address is invalid"),
    0x0B: ("ESME_RINVDSTADR", "the destination address is invalid"),
    0x0C: ("ESME_RINVMSGID", "the message id is invalid"),
    0x0E: ("ESME_RINVPASWD", "the password is wrong"),
    0x0F: ("ESME_RINVSYSID", "the system id is unknown"),
    0x11: ("ESME_RCANCELFAIL", "the message could not be cancelled"),
    0x13: ("ESME_RREPLACEFAIL", "the message could not be replaced"),
    0x15: ("ESME_RINVSERTYP", "the service type is invalid"),
    0x33: ("ESME_RINVNUMDESTS", "the number of destinations is invalid"),
    0x34: ("ESME_RINVDLNAME", "the distribution list is unknown"),
    0x40: ("ESME_RINVDESTFLAG", "the destination flag is invalid"),
    0x42: ("ESME_RINVSUBREP", "replacing is not possible here"),
    0x43: ("ESME_RINVESMCLASS", "esm_class is invalid"),
    0x44: ("ESME_RCNTSUBDL", "a distribution list cannot be submitted to"),
    0x45: ("ESME_RSUBMITFAIL", "the message is refused"),
    0x48: ("ESME_RINVSRCTON", "the type of the source number is invalid"),
    0x49: ("ESME_RINVSRCNPI", "the plan of the source number is invalid"),
    0x50: ("ESME_RINVDSTTON", "the type of the destination number is invalid"),
    0x51: ("ESME_RINVDSTNPI", "the plan of the destination number is invalid"),
    0x53: ("ESME_RINVSYSTYP", "the system type is invalid"),
    0x54: ("ESME_RINVREPFLAG", "replace_if_present_flag is invalid"),
    0x55: ("ESME_RINVNUMMSGS", "the number of messages is invalid"),
    0x61: ("ESME_RINVSCHED", "the scheduled time is invalid"),
    0x62: ("ESME_RINVEXPIRY", "the validity period is invalid"),
    0x63: ("ESME_RINVDFTMSGID", "the predefined message is unknown"),
    0x65: ("ESME_RX_P_APPN", "the receiver refuses it for good"),
    0x66: ("ESME_RX_R_APPN", "the receiver rejects the message"),
    0x67: ("ESME_RQUERYFAIL", "the message could not be asked for"),
    0xC0: ("ESME_RINVOPTPARSTREAM", "the optional part is broken"),
    0xC1: ("ESME_ROPTPARNOTALLWD", "an optional parameter is not allowed"),
    0xC2: ("ESME_RINVPARLEN", "a parameter's length is invalid"),
    0xC3: ("ESME_RMISSINGOPTPARAM", "an optional parameter is missing"),
    0xC4: ("ESME_RINVOPTPARAMVAL", "an optional parameter is invalid"),
}
_TEMPORARY = {
    0x04: ("ESME_RINVBNDSTS", "we are not bound as this command needs"),
    0x05: ("ESME_RALYBND", "the account is bound already"),
    0x08: ("ESME_RSYSERR", "the message centre has an error"),
    0x0D: ("ESME_RBINDFAIL", "the bind failed"),
    0x14: ("ESME_RMSGQFUL", "the message queue is full"),
    0x64: ("ESME_RX_T_APPN", "the receiver refuses it for now"),
    0xFE: ("ESME_RDELIVERYFAILURE", "the delivery failed"),
    0xFF: ("ESME_RUNKNOWNERR", "an unknown error"),
}
_THROTTLED = {0x58: ("ESME_RTHROTTLED", "too many messages at once")}
_KNOWN = {0x00: ("ESME_ROK", "no error"), **_PERMANENT, **_TEMPORARY, **_THROTTLED}


def kind(code: int) -> Kind:
    """What to do about a status. One that is not in the table, as an operator's own, is permanent: nobody knows whether
    trying again would help, and a person who does can still ask for it."""
    if code == ESME_ROK:
        return Kind.OK
    if code in _TEMPORARY:
        return Kind.TEMPORARY
    return Kind.THROTTLED if code in _THROTTLED else Kind.PERMANENT


def name(code: int) -> str:
    """`ESME_RTHROTTLED`, or the number where it is not of SMPP 3.4."""
    return _KNOWN[code][0] if code in _KNOWN else f"{code:#010x}"


def explain(code: int) -> str:
    """Name and meaning, for a person."""
    return f"{name(code)} ({_KNOWN[code][1]})" if code in _KNOWN else f"{name(code)} (of the operator's own)"
