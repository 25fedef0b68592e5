"""engine/wire/framing.py: frames come out whole, however the bytes come in."""

import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadFrameLength, ProtocolError, UsageError
from engine.settings import LENGTH_TYPES, Settings
from engine.wire.framing import LengthPrefixed, framing_for, guess, to_frame


class Wire(NamedTuple):
    """Settings, and how a frame under them is written."""

    settings: Settings
    length: struct.Struct

    @property
    def header_bytes(self) -> int:
        return self.settings.package_length_offset + self.length.size

    @property
    def smallest_frame(self) -> int:
        return max(self.header_bytes, self.settings.package_body_offset)

    @property
    def largest_count(self) -> int:
        """Largest number that the length's type holds."""
        bits = 8 * self.length.size
        return 2 ** (bits - 1) - 1 if self.length.format[-1].islower() else 2**bits - 1

    def frame(self, frame_bytes: int, filler: bytes = b"x") -> bytes:
        """A frame of this size, of which the header says so."""
        return self.header(frame_bytes - self.settings.package_body_offset).ljust(frame_bytes, filler)

    def header(self, counted: int) -> bytes:
        return b"h" * self.settings.package_length_offset + self.length.pack(counted)


def wire(letter: str = "N", offset: int = 0, body_offset: int = 4, max_length: int = 1000) -> Wire:
    settings = Settings(
        open_length_check=True,
        package_length_type=letter,
        package_length_offset=offset,
        package_body_offset=body_offset,
        package_max_length=max_length,
    )
    return Wire(settings, struct.Struct(LENGTH_TYPES[letter]))


wires = st.builds(
    wire,
    letter=st.sampled_from(sorted(LENGTH_TYPES)),
    offset=st.integers(0, 20),
    body_offset=st.integers(0, 40),
    max_length=st.just(1000),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Wire, list[bytes], list[bytes]]:
    """A wire, frames, and the pieces in which the network delivers them."""
    on = draw(wires)
    extras = st.integers(0, min(90, on.largest_count - on.smallest_frame))
    fillers = st.binary(min_size=1, max_size=1)
    frames = [on.frame(on.smallest_frame + draw(extras), draw(fillers)) for _ in range(draw(st.integers(0, 8)))]
    stream = b"".join(frames)
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=30)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    return on, frames, pieces


def whole_frames(framing: LengthPrefixed) -> list[bytes]:
    return list(iter(framing.next_frame, None))


@given(streams())
def test_the_frames_come_back_however_the_stream_is_cut(stream: tuple[Wire, list[bytes], list[bytes]]) -> None:
    on, frames, pieces = stream
    framing = LengthPrefixed(on.settings)
    got = []

    for piece in pieces:
        framing.feed(piece)
        got += whole_frames(framing)

    assert got == frames


@given(streams())
def test_the_frames_come_back_one_byte_at_a_time(stream: tuple[Wire, list[bytes], list[bytes]]) -> None:
    on, frames, pieces = stream
    framing = LengthPrefixed(on.settings)
    got = []

    for value in b"".join(pieces):
        framing.feed(bytes([value]))
        got += whole_frames(framing)

    assert got == frames


@pytest.mark.parametrize(
    ("letter", "raw"),
    [
        ("c", b"\x05"),
        ("C", b"\x05"),
        ("n", b"\x00\x05"),
        ("v", b"\x05\x00"),
        ("N", b"\x00\x00\x00\x05"),
        ("V", b"\x05\x00\x00\x00"),
        ("J", b"\x00\x00\x00\x00\x00\x00\x00\x05"),
        ("P", b"\x05\x00\x00\x00\x00\x00\x00\x00"),
        ("s", struct.pack("=h", 5)),
        ("S", struct.pack("=H", 5)),
        ("l", struct.pack("=i", 5)),
        ("L", struct.pack("=I", 5)),
        ("i", struct.pack("=i", 5)),
        ("I", struct.pack("=I", 5)),
        ("q", struct.pack("=q", 5)),
        ("Q", struct.pack("=Q", 5)),
    ],
)
def test_every_letter_of_pack_reads_the_bytes_that_php_writes(letter: str, raw: bytes) -> None:
    framing = LengthPrefixed(wire(letter, body_offset=len(raw)).settings)

    framing.feed(raw + b"hello" + raw)

    assert whole_frames(framing) == [raw + b"hello"]


@given(on=wires, data=st.data())
def test_a_bad_length_is_refused_as_soon_as_it_is_there(on: Wire, data: st.DataObject) -> None:
    lowest = -(on.largest_count + 1) if on.length.format[-1].islower() else 0
    body_offset = on.settings.package_body_offset
    counted = data.draw(
        st.integers(lowest, on.largest_count).filter(
            lambda n: n < 0 or not on.header_bytes <= n + body_offset <= on.settings.package_max_length
        )
        if on.largest_count + body_offset > on.settings.package_max_length or on.header_bytes > body_offset
        else st.integers(lowest, -1)
        if lowest
        else st.nothing()
    )
    header = on.header(counted)
    framing = LengthPrefixed(on.settings)

    framing.feed(header[:-1])
    assert framing.next_frame() is None
    framing.feed(header[-1:])

    with pytest.raises(BadFrameLength) as caught:
        framing.next_frame()
    assert caught.value.head == header[:16]


def test_a_length_of_four_gigabytes_names_the_number_and_the_limit() -> None:
    framing = LengthPrefixed(wire(max_length=2000).settings)
    framing.feed(b"\xff\xff\xff\xff")

    with pytest.raises(BadFrameLength) as caught:
        framing.next_frame()

    assert (caught.value.announced_bytes, caught.value.limit_bytes) == (2**32 + 3, 2000)


def test_the_frames_before_a_bad_length_are_delivered() -> None:
    on = wire()
    framing = LengthPrefixed(on.settings)
    framing.feed(on.frame(10) + on.frame(20) + b"\xff\xff\xff\xff")

    assert [framing.next_frame(), framing.next_frame()] == [on.frame(10), on.frame(20)]
    with pytest.raises(BadFrameLength):
        framing.next_frame()


def test_a_stream_stays_refused_once_it_was() -> None:
    on = wire()
    framing = LengthPrefixed(on.settings)
    framing.feed(b"\xff\xff\xff\xff")
    with pytest.raises(BadFrameLength):
        framing.next_frame()

    framing.feed(on.frame(10))

    with pytest.raises(BadFrameLength):
        framing.next_frame()


@given(on=wires, pieces=st.lists(st.binary(max_size=60), max_size=20))
def test_no_input_raises_anything_but_a_protocol_error(on: Wire, pieces: list[bytes]) -> None:
    framing = LengthPrefixed(on.settings)
    got = b""

    try:
        for piece in pieces:
            framing.feed(piece)
            got += b"".join(whole_frames(framing))
    except ProtocolError:
        pass

    assert b"".join(pieces).startswith(got)


@pytest.mark.parametrize("at_the_limit", [True, False])
def test_a_frame_may_be_exactly_as_large_as_the_limit(at_the_limit: bool) -> None:
    on = wire(max_length=100)
    framing = LengthPrefixed(on.settings)
    framing.feed(on.frame(100 if at_the_limit else 101))

    if at_the_limit:
        assert framing.next_frame() == on.frame(100)
    else:
        with pytest.raises(BadFrameLength):
            framing.next_frame()


def test_what_was_handed_out_is_not_kept() -> None:
    on = wire(max_length=2**20)
    framing = LengthPrefixed(on.settings)

    for _ in range(50):
        framing.feed(on.frame(2**20) + on.frame(10)[:2])
        framing.next_frame()
        framing.feed(on.frame(10)[2:])
        framing.next_frame()
        framing.feed(b"")

    assert len(framing._buffer) == 0


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10))
def test_without_a_length_check_the_bytes_come_as_they_arrived(pieces: list[bytes]) -> None:
    framing = framing_for(Settings(open_length_check=False))
    got = []

    for piece in pieces:
        framing.feed(piece)
        got.append(framing.next_frame())
        assert framing.next_frame() is None

    assert got == pieces


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "looks like HTTP"),
        (b"POST /sms HTTP/1.", "looks like HTTP"),
        (b"PRI * HTTP/2.0\r\n", "looks like HTTP"),
        (b"\x16\x03\x01\x02\x00\x01", "looks like TLS"),
        (b'{"campaign": "x"}', "looks like JSON without its length"),
        (b"GETTER", ""),
        (b"", ""),
        (b"\xff\xff\xff\xff", ""),
    ],
)
def test_a_guess_names_what_the_first_bytes_look_like(head: bytes, said: str) -> None:
    assert guess(head) == said


# ── frames that end with a delimiter ────────────────────────────────────────────────────────────


LINES = Settings(open_eof_split=True, package_eof=b"\r\n", package_max_length=100)


@given(st.lists(st.binary(max_size=40).filter(lambda body: b"\n" not in body)), st.data())
def test_delimited_frames_come_out_however_the_stream_is_cut(bodies, data):
    frames = [body + b"\r\n" for body in bodies]
    stream = b"".join(frames)
    framing = framing_for(LINES)
    got = []

    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        framing.feed(stream[:cut])
        stream = stream[cut:]
        while frame := framing.next_frame():
            got.append(frame)

    assert got == frames
    assert not framing.is_begun


def test_without_splitting_what_ends_with_the_delimiter_comes_as_one():
    framing = framing_for(Settings(open_eof_check=True, package_eof=b"\n"))

    framing.feed(b"one\ntwo\nthr")
    assert framing.next_frame() is None
    framing.feed(b"ee\n")

    assert framing.next_frame() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("stream", [b"x" * 101, b"x" * 99 + b"\r\n"])
def test_a_delimited_frame_over_the_limit_is_refused(stream):
    framing = framing_for(LINES)
    framing.feed(stream)

    with pytest.raises(BadFrameLength):
        framing.next_frame()


# ── the other way round ─────────────────────────────────────────────────────────────────────────


@given(
    letter=st.sampled_from(sorted(LENGTH_TYPES)),
    counts_header=st.booleans(),
    bodies=st.lists(st.binary(max_size=100), min_size=1, max_size=4),
)
def test_what_is_made_a_frame_is_cut_at_its_end(letter: str, counts_header: bool, bodies: list[bytes]) -> None:
    size = struct.calcsize(LENGTH_TYPES[letter])
    settings = Settings(
        open_length_check=True, package_length_type=letter, package_body_offset=0 if counts_header else size
    )
    framing = framing_for(settings)

    framing.feed(b"".join(to_frame(settings, body) for body in bodies))

    assert [(framing.next_frame() or b"")[size:] for _ in bodies] == bodies
    assert framing.next_frame() is None


def test_a_body_gets_the_delimiter_or_nothing() -> None:
    assert to_frame(Settings(open_eof_split=True), b"hello") == b"hello\r\n"
    assert to_frame(Settings(open_eof_check=True, package_eof=b"\0"), b"a\0b") == b"a\0b\0"
    assert to_frame(Settings(), b"hello") == b"hello"


@pytest.mark.parametrize(
    ("settings", "body", "said"),
    [
        (Settings(open_eof_split=True), b"a\r\nb", "would arrive as two frames"),
        (Settings(open_eof_split=True, package_eof=b"aa"), b"xa", "would arrive as two frames"),
        (Settings(open_eof_split=True, package_max_length=5), b"abcd", "frame of 6 bytes, allowed is up to 5"),
        (Settings(open_length_check=True, package_length_type="C", package_body_offset=1), b"x" * 256, "256 does not"),
        (Settings(open_length_check=True, package_length_offset=2, package_body_offset=6), b"", "more than a length"),
        (Settings(open_length_check=True, package_body_offset=8), b"", "more than a length"),
    ],
)
def test_a_body_that_cannot_be_a_frame_is_refused(settings: Settings, body: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        to_frame(settings, body)
