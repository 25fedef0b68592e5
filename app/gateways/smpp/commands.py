"""The commands of SMPP 3.4 with their fields, and its optional parameters (TLVs): tables. Pure.

Source: SMPP 3.4, sections 4 (commands), 5.1.2 (command ids), 5.3.2 (optional parameters). submit_multi is left out: we
never send it, and a message centre does not, either.
"""

from enum import IntEnum
from typing import NamedTuple


class Command(IntEnum):
    """Command ids; an answer's is the request's with the highest bit set."""

    __hash__ = int.__hash__  # that of Enum is written in Python, and takes three times as long

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x01
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x02
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM = 0x03
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM = 0x04
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x05
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x06
    UNBIND_RESP = 0x80000006
    REPLACE_SM = 0x07
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM = 0x08
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER = 0x09
    BIND_TRANSCEIVER_RESP = 0x80000009
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    ENQUIRE_LINK_RESP = 0x80000015
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    DATA_SM_RESP = 0x80000103


IS_ANSWER = 0x80000000


class Kind(IntEnum):
    """How a value stands in a PDU."""

    NUMBER = 0
    """Of `size` octets, big-endian."""
    TEXT = 1
    """Up to a NUL; `size` octets at most, the NUL among them."""
    OCTETS = 2
    """A mandatory field: one octet that says how many, then these. An optional one: its length says how many. `size`
    at most."""


class Field(NamedTuple):
    name: str
    kind: Kind
    size: int


def _number(name: str) -> Field:
    return Field(name, Kind.NUMBER, 1)


def _text(name: str, size: int) -> Field:
    return Field(name, Kind.TEXT, size)


def _address(prefix: str, name: str, size: int = 21) -> tuple[Field, ...]:
    return _number(f"{prefix}_addr_ton"), _number(f"{prefix}_addr_npi"), _text(name, size)


# The standard says 9 octets for a password; longer ones are in use.
_BIND = (
    _text("system_id", 16),
    _text("password", 64),
    _text("system_type", 13),
    _number("interface_version"),
    _number("addr_ton"),
    _number("addr_npi"),
    _text("address_range", 41),
)
_SYSTEM_ID = (_text("system_id", 16),)
_MESSAGE_ID = (_text("message_id", 65),)
_SOURCE = _address("source", "source_addr")
_DESTINATION = _address("dest", "destination_addr")
_TIMES = (_text("schedule_delivery_time", 17), _text("validity_period", 17))
# 3.4 says 254; 5.0 says 255, and some who say they speak 3.4 do so, too.
_SHORT_MESSAGE = Field("short_message", Kind.OCTETS, 255)
_SM = (
    _text("service_type", 6),
    *_SOURCE,
    *_DESTINATION,
    *(_number(name) for name in ("esm_class", "protocol_id", "priority_flag")),
    *_TIMES,
    *(_number("registered_delivery"), _number("replace_if_present_flag")),
    *(_number("data_coding"), _number("sm_default_msg_id")),
    _SHORT_MESSAGE,
)

FIELDS: dict[Command, tuple[Field, ...]] = {
    Command.GENERIC_NACK: (),
    Command.BIND_RECEIVER: _BIND,
    Command.BIND_RECEIVER_RESP: _SYSTEM_ID,
    Command.BIND_TRANSMITTER: _BIND,
    Command.BIND_TRANSMITTER_RESP: _SYSTEM_ID,
    Command.BIND_TRANSCEIVER: _BIND,
    Command.BIND_TRANSCEIVER_RESP: _SYSTEM_ID,
    Command.OUTBIND: (_text("system_id", 16), _text("password", 64)),
    Command.UNBIND: (),
    Command.UNBIND_RESP: (),
    Command.ENQUIRE_LINK: (),
    Command.ENQUIRE_LINK_RESP: (),
    Command.SUBMIT_SM: _SM,
    Command.SUBMIT_SM_RESP: _MESSAGE_ID,
    Command.DELIVER_SM: _SM,
    Command.DELIVER_SM_RESP: _MESSAGE_ID,
    Command.DATA_SM: (
        _text("service_type", 6),
        *_address("source", "source_addr", 65),
        *_address("dest", "destination_addr", 65),
        *(_number(name) for name in ("esm_class", "registered_delivery", "data_coding")),
    ),
    Command.DATA_SM_RESP: _MESSAGE_ID,
    Command.QUERY_SM: (*_MESSAGE_ID, *_SOURCE),
    Command.QUERY_SM_RESP: (
        *_MESSAGE_ID,
        _text("final_date", 17),
        _number("message_state"),
        _number("error_code"),
    ),
    Command.CANCEL_SM: (_text("service_type", 6), *_MESSAGE_ID, *_SOURCE, *_DESTINATION),
    Command.CANCEL_SM_RESP: (),
    Command.REPLACE_SM: (
        *_MESSAGE_ID,
        *_SOURCE,
        *_TIMES,
        *(_number("registered_delivery"), _number("sm_default_msg_id")),
        _SHORT_MESSAGE,
    ),
    Command.REPLACE_SM_RESP: (),
    Command.ALERT_NOTIFICATION: (*_address("source", "source_addr", 65), *_address("esme", "esme_addr", 65)),
}
"""What each command has before its optional parameters, in this order."""


class Tlv(IntEnum):
    """Tags of the optional parameters that we send or read."""

    __hash__ = int.__hash__  # that of Enum is written in Python, and takes three times as long

    USER_MESSAGE_REFERENCE = 0x0204
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427


TLVS: dict[int, Field] = {
    Tlv.USER_MESSAGE_REFERENCE: Field("user_message_reference", Kind.NUMBER, 2),
    Tlv.SAR_MSG_REF_NUM: Field("sar_msg_ref_num", Kind.NUMBER, 2),
    Tlv.SAR_TOTAL_SEGMENTS: Field("sar_total_segments", Kind.NUMBER, 1),
    Tlv.SAR_SEGMENT_SEQNUM: Field("sar_segment_seqnum", Kind.NUMBER, 1),
    Tlv.SC_INTERFACE_VERSION: Field("sc_interface_version", Kind.NUMBER, 1),
    Tlv.SOURCE_PORT: Field("source_port", Kind.NUMBER, 2),
    Tlv.DESTINATION_PORT: Field("destination_port", Kind.NUMBER, 2),
    Tlv.PAYLOAD_TYPE: Field("payload_type", Kind.NUMBER, 1),
    Tlv.ADDITIONAL_STATUS_INFO_TEXT: Field("additional_status_info_text", Kind.TEXT, 256),
    Tlv.RECEIPTED_MESSAGE_ID: Field("receipted_message_id", Kind.TEXT, 65),
    Tlv.NETWORK_ERROR_CODE: Field("network_error_code", Kind.OCTETS, 3),
    Tlv.MESSAGE_PAYLOAD: Field("message_payload", Kind.OCTETS, 65_000),
    Tlv.DELIVERY_FAILURE_REASON: Field("delivery_failure_reason", Kind.NUMBER, 1),
    Tlv.MORE_MESSAGES_TO_SEND: Field("more_messages_to_send", Kind.NUMBER, 1),
    Tlv.MESSAGE_STATE: Field("message_state", Kind.NUMBER, 1),
}
"""How the value of each stands there. Of others only the length is known."""
