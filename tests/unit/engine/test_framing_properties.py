"""engine/wire/framing.py: what holds for every framing, every stream and every cut."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.settings import LENGTH_TYPES, Settings
from engine.wire.framing import Framing, framing_for, guess

LIMIT = 200

# few different bytes, so that delimiters are found, in part found, and overlap
bodies = st.binary(max_size=30) | st.text("ab\r\n", max_size=30).map(str.encode)
delimiters = st.binary(min_size=1, max_size=8) | st.text("ab\r\n", min_size=1, max_size=8).map(str.encode)


@st.composite
def length_settings(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "open_length_check": True,
        "package_length_type": draw(st.sampled_from(sorted(LENGTH_TYPES))),
        "package_length_offset": draw(st.integers(0, 20)),
        "package_body_offset": draw(st.integers(0, 40)),
    }


split_settings = st.builds(lambda eof: {"open_eof_split": True, "package_eof": eof}, delimiters)
check_settings = st.builds(lambda eof: {"open_eof_check": True, "package_eof": eof}, delimiters)
all_settings = st.one_of(st.just({}), length_settings(), split_settings, check_settings).map(
    lambda chosen: Settings(package_max_length=LIMIT, **chosen)
)


def drain(framing: Framing) -> list[bytes]:
    return list(iter(framing.next_frame, None))


def cut(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def held(framing: Framing) -> int:
    """Bytes that a framing keeps."""
    return len(getattr(framing, "_buffer", b"")) + len(getattr(framing, "_data", b""))


@st.composite
def noise(draw: st.DrawFn) -> tuple[Settings, list[bytes]]:
    """Any settings, and any bytes: random ones, and such as look like frames for a while."""
    settings = draw(all_settings)
    pieces = draw(st.lists(bodies | st.binary(max_size=3 * LIMIT), max_size=20))
    if settings.open_length_check:
        length = struct.Struct(LENGTH_TYPES[settings.package_length_type])
        head = bytes(settings.package_length_offset) + length.pack(draw(st.integers(0, 100)))
        pieces = [each for piece in pieces for each in (head, piece)]
    elif draw(st.booleans()):
        pieces = [each for piece in pieces for each in (piece, settings.package_eof)]
    return settings, cut(draw, b"".join(pieces))


@given(noise())
def test_no_stream_raises_anything_but_a_protocol_error_or_is_kept_beyond_the_limit(
    stream: tuple[Settings, list[bytes]],
) -> None:
    settings, pieces = stream
    framing = framing_for(settings)
    got = b""
    refused = False

    for piece in pieces:
        framing.feed(piece)
        try:
            got += b"".join(drain(framing))
        except ProtocolError:
            refused = True
            break
        assert held(framing) <= LIMIT + len(piece)

    assert b"".join(pieces).startswith(got)
    if not refused:
        framing.feed(b"")
        assert held(framing) <= LIMIT
        rest = b"".join(pieces)[len(got) :]
        assert held(framing) == len(rest), "what is not handed out is what is kept"
        assert framing.is_begun == bool(rest)


@given(noise())
def test_the_same_bytes_give_the_same_frames_in_one_piece_and_one_by_one(noisy: tuple[Settings, list[bytes]]) -> None:
    settings, pieces = noisy
    if not (settings.open_length_check or settings.open_eof_split):
        return  # what arrives together is one frame there
    stream = b"".join(pieces)

    def frames(parts: list[bytes]) -> tuple[list[bytes], bool]:
        framing, got = framing_for(settings), []
        try:
            for part in parts:
                framing.feed(part)
                while (frame := framing.next_frame()) is not None:
                    got.append(frame)
        except ProtocolError:
            return got, True
        return got, False

    assert frames([stream]) == frames(pieces) == frames([bytes([value]) for value in stream])


@given(st.data(), delimiters, st.lists(bodies, max_size=8))
def test_delimited_frames_come_back_whatever_the_delimiter(data: st.DataObject, eof: bytes, texts: list[bytes]) -> None:
    frames = []
    for text in texts:  # cut off where the delimiter turns up by itself
        whole = text + eof
        frames.append(whole[: whole.index(eof) + len(eof)])
    framing = framing_for(Settings(open_eof_split=True, package_eof=eof, package_max_length=LIMIT))
    got = []

    for piece in data.draw(st.composite(cut)(b"".join(frames))):
        framing.feed(piece)
        got += drain(framing)

    assert got == frames


@given(st.data(), delimiters, st.lists(bodies, max_size=5))
def test_without_splitting_nothing_is_handed_out_before_a_delimiter_ends_it_and_nothing_is_lost(
    data: st.DataObject, eof: bytes, texts: list[bytes]
) -> None:
    stream = b"".join(text + eof for text in texts)
    framing = framing_for(Settings(open_eof_check=True, package_eof=eof, package_max_length=2 * LIMIT))
    got = []

    # A cut may fall where a delimiter ends by accident; the rest then waits for the next one.
    for piece in [*data.draw(st.composite(cut)(stream)), eof]:
        framing.feed(piece)
        got += drain(framing)

    assert b"".join(got) == stream + eof
    assert all(frame.endswith(eof) for frame in got)


@given(st.binary(max_size=16))
def test_a_guess_is_never_an_error(head: bytes) -> None:
    assert guess(head) in ("", "looks like HTTP", "looks like TLS", "looks like JSON without its length")
