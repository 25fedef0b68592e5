"""PDUs of SMPP 3.4: from values to bytes and back, by the tables in commands.py. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from app.gateways.smpp.commands import FIELDS, IS_ANSWER, TLVS, Command, Field, Kind, Tlv
from app.gateways.smpp.errors import BadBody, BadTlv, Unencodable, UnknownCommand
from app.gateways.smpp.stream import HEADER, MAX_PDU_BYTES, Frame

Value = int | str | bytes
LAST_SEQUENCE = 0x7FFFFFFF
_ABSENT: dict[Kind, Value] = {Kind.NUMBER: 0, Kind.TEXT: "", Kind.OCTETS: b""}


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU. `fields` has every mandatory field of the command; `tlvs` the octets of each optional parameter."""

    command: Command
    sequence: int
    status: int = 0
    fields: Mapping[str, Value] = field(default_factory=dict)
    tlvs: Mapping[int, bytes] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A mandatory field that is a number; 0 where the PDU has none."""
        value = self.fields.get(name, 0)
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        """A mandatory field that is a text; empty where the PDU has none."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def octets(self, name: str) -> bytes:
        """A mandatory field that is octets; empty where the PDU has none."""
        value = self.fields.get(name, b"")
        return value if isinstance(value, bytes) else b""

    @property
    def message(self) -> bytes:
        """What a message says: short_message, or message_payload where that is empty."""
        return self.octets("short_message") or self.tlvs.get(Tlv.MESSAGE_PAYLOAD, b"")

    def tlv_number(self, tag: Tlv) -> int | None:
        """None where it is missing, or has not the size of this parameter: then it is not believed."""
        octets = self.tlvs.get(tag)
        return int.from_bytes(octets, "big") if octets is not None and len(octets) == TLVS[tag].size else None

    def tlv_text(self, tag: Tlv) -> str | None:
        """Up to its NUL, which some leave out. None where it is missing, or longer than it may be."""
        octets = self.tlvs.get(tag)
        if octets is None or len(octets) > TLVS[tag].size:
            return None
        return octets.partition(b"\0")[0].decode("latin-1")


def encode(pdu: Pdu) -> bytes:
    """The bytes of a PDU. Fields that are not given are 0 or empty. Raises Unencodable."""
    body = encode_fields(pdu.command, pdu.fields) + b"".join(map(encode_tlv, pdu.tlvs, pdu.tlvs.values()))
    return encode_raw(pdu.command, pdu.status, pdu.sequence, body)


def encode_raw(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A PDU whose body is made already. Raises Unencodable."""
    length = HEADER.size + len(body)
    if length > MAX_PDU_BYTES:
        raise Unencodable(f"a PDU of {length} bytes, there are {MAX_PDU_BYTES} at most")
    if not 0 <= sequence <= 0xFFFFFFFF or not 0 <= status <= 0xFFFFFFFF:
        raise Unencodable(f"sequence number {sequence} or status {status} has more than 32 bits")
    return HEADER.pack(length, command, status, sequence) + body


def encode_fields(command: Command, values: Mapping[str, Value]) -> bytes:
    """The mandatory part of a body. Raises Unencodable."""
    known = FIELDS[command]
    if unknown := values.keys() - {each.name for each in known}:
        raise Unencodable(f"{command.name.lower()} has no field {', '.join(sorted(unknown))}")
    return b"".join(_encode_field(each, values.get(each.name, _ABSENT[each.kind])) for each in known)


def _encode_field(kept: Field, value: Value) -> bytes:
    match kept.kind, value:
        case Kind.NUMBER, int() if 0 <= value < 256**kept.size:
            return value.to_bytes(kept.size, "big")
        case Kind.TEXT, str() if len(value) < kept.size and "\0" not in value and _is_latin_1(value):
            return value.encode("latin-1") + b"\0"
        case Kind.OCTETS, bytes() if len(value) <= kept.size:
            return bytes([len(value)]) + value
    raise _unfit(kept)


def _unfit(kept: Field) -> Unencodable:
    """It does not quote the value: that may be a password, a number or a text."""
    least = {Kind.NUMBER: "a number of", Kind.TEXT: "a text with its NUL in", Kind.OCTETS: "octets, at most"}[kept.kind]
    return Unencodable(f"{kept.name} does not fit, it is {least} {kept.size}")


def _is_latin_1(text: str) -> bool:
    return text.isascii() or max(text) <= "\xff"


def encode_tlv(tag: int, octets: bytes) -> bytes:
    """`tag u16 | length u16 | value`. Raises Unencodable."""
    if not 0 <= tag <= 0xFFFF or len(octets) > 0xFFFF:
        raise Unencodable(f"optional parameter {tag:#06x} of {len(octets)} bytes does not fit")
    return tag.to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets


def tlv_octets(tag: Tlv, value: Value) -> bytes:
    """The octets of an optional parameter of the table. Raises Unencodable."""
    kept = TLVS[tag]
    if kept.kind is not Kind.OCTETS:
        return _encode_field(kept, value)
    if not isinstance(value, bytes) or len(value) > kept.size:
        raise _unfit(kept)
    return value


def decode(frame: Frame) -> Pdu:
    """The PDU of a frame. An answer may come without a body, as one that is an error does. Raises ProtocolError."""
    command_id, status, sequence, body = frame
    plan = _PLANS.get(command_id)
    if plan is None:
        raise UnknownCommand(command_id)
    if not body and plan.command & IS_ANSWER:
        fields = {each.name: _ABSENT[each.kind] for each in FIELDS[plan.command]}
        return Pdu(plan.command, sequence, status, fields)
    fields, at = _read_fields(plan, body)
    return Pdu(plan.command, sequence, status, fields, _decode_tlvs(body, at) if at < len(body) else {})


_Step = tuple[Kind, tuple[str, ...], int]
"""Kind, names and size: numbers that stand beside each other are read at once. Every mandatory number has one octet,
and octets may be as many as the one before them can say."""


def _steps(fields: tuple[Field, ...]) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    for (kind, size), group in groupby(fields, lambda each: (each.kind, each.size)):
        names = [each.name for each in group]
        steps += [(kind, tuple(names), size)] if kind is Kind.NUMBER else [(kind, (name,), size) for name in names]
    return tuple(steps)


class _Plan(NamedTuple):
    """How to read the fields of a command at once, as long as nothing is wrong with them."""

    command: Command
    steps: tuple[_Step, ...]
    pattern: re.Pattern[bytes]
    """A group for each step but the octets: no command has more than one field of those, and it is the last one."""
    are_texts: tuple[bool, ...]
    names: tuple[str, ...]
    has_octets: bool


def _plan(command: Command, fields: tuple[Field, ...]) -> _Plan:
    steps = _steps(fields)
    written = [
        rb"([^\0]{0,%d})\0" % (size - 1) if kind is Kind.TEXT else rb"(.{%d})" % len(names)
        for kind, names, size in steps
        if kind is not Kind.OCTETS
    ]
    pattern = re.compile(b"".join(written), re.DOTALL)
    are_texts = tuple(kind is Kind.TEXT for kind, _, _ in steps)
    names = tuple(each.name for each in fields)
    return _Plan(command, steps, pattern, are_texts, names, len(written) < len(steps))


_PLANS = {int(command): _plan(command, fields) for command, fields in FIELDS.items()}
"""By numbers: to look up a member of an enumeration takes Python three times as long."""


def _read_fields(plan: _Plan, body: bytes) -> tuple[dict[str, Value], int]:
    """The values, and where they end. Raises BadBody."""
    found = plan.pattern.match(body)
    if found is None:
        return _decode_fields(plan.steps, body)  # which says what is wrong
    values: list[Value] = []
    for is_text, octets in zip(plan.are_texts, found.groups(), strict=False):
        if is_text:
            values.append(octets.decode("latin-1"))
        else:
            values += octets
    at = found.end()
    if plan.has_octets:
        end = at + 1 + body[at] if at < len(body) else at
        if not at < end <= len(body):
            return _decode_fields(plan.steps, body)
        values.append(body[at + 1 : end])
        at = end
    return dict(zip(plan.names, values, strict=True)), at


def _decode_fields(steps: tuple[_Step, ...], body: bytes) -> tuple[dict[str, Value], int]:
    """The same, one step after the other."""
    fields: dict[str, Value] = {}
    at, length = 0, len(body)
    for kind, names, size in steps:
        if kind is Kind.TEXT:
            end = body.find(b"\0", at, at + size)
            if end < 0:
                raise BadBody(f"{names[0]} does not end within {size} bytes")
            fields[names[0]] = body[at:end].decode("latin-1") if end > at else ""
            at = end + 1
        elif kind is Kind.NUMBER:
            end = at + len(names)
            if end > length:
                raise BadBody(f"the body ends before {names[-1]}")
            fields.update(zip(names, body[at:end], strict=True))
            at = end
        else:
            if at >= length:
                raise BadBody(f"the body ends before {names[0]}")
            end = at + 1 + body[at]
            if end > length:
                raise BadBody(f"{names[0]} of {body[at]} bytes does not fit into the body")
            fields[names[0]] = body[at + 1 : end]
            at = end
    return fields, at


def _decode_tlvs(body: bytes, at: int) -> dict[int, bytes]:
    """Of a parameter that stands twice the first counts."""
    tlvs: dict[int, bytes] = {}
    while at < len(body):
        begin = at + 4
        end = begin + int.from_bytes(body[at + 2 : begin], "big")
        if begin > len(body) or end > len(body):
            raise BadTlv("an optional parameter does not end within the body")
        tlvs.setdefault(int.from_bytes(body[at : at + 2], "big"), body[begin:end])
        at = end
    return tlvs
