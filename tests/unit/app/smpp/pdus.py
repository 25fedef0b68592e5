"""PDUs to test with: any that the tables allow, and any stream cut anywhere."""

from hypothesis import strategies as st

from app.gateways.smpp.commands import FIELDS, Command, Field, Kind
from app.gateways.smpp.pdu import Pdu

letters = st.characters(min_codepoint=1, max_codepoint=255)


def value_of(field: Field) -> st.SearchStrategy[int | str | bytes]:
    if field.kind is Kind.NUMBER:
        return st.integers(0, 256**field.size - 1)
    if field.kind is Kind.TEXT:
        return st.text(letters, max_size=field.size - 1)
    return st.binary(max_size=field.size)


@st.composite
def pdus(draw: st.DrawFn) -> Pdu:
    command = draw(st.sampled_from(Command))
    fields = {field.name: draw(value_of(field)) for field in FIELDS[command]}
    tlvs = draw(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=80), max_size=4))
    return Pdu(command, draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**32 - 1)), fields, tlvs)


def pieces(data: st.DataObject, stream: bytes) -> list[bytes]:
    """The stream, cut anywhere."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
