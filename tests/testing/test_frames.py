"""Messages as the websockets library writes them are read back, and read by it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader as Feed

from realtime_nb.testing.frames import WireMessage, close_frame, frame, read_message


def read(raw: bytes) -> list[WireMessage]:
    async def run() -> list[WireMessage]:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        found: list[WireMessage] = []
        while not reader.at_eof():
            found += await read_message(reader)
        return found

    return asyncio.run(run())


def written(opcode: Opcode, payload: bytes, *, mask: bool, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=mask)


@settings(max_examples=40, deadline=None)
@given(payload=st.binary(max_size=300), mask=st.booleans())
def test_what_the_library_writes_is_read(payload: bytes, mask: bool) -> None:
    raw = written(Opcode.TEXT, payload, mask=mask)
    assert read(raw) == [WireMessage(1, payload, raw, mask)]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("mask", [None, b"abcd"])
def test_what_is_made_here_is_read_by_the_library(size: int, mask: bytes | None) -> None:
    payload = random.Random(size).randbytes(size)
    feed = Feed()
    feed.feed_data(frame(1, payload, mask))
    parser = Frame.parse(feed.read_exact, mask=mask is not None)
    with pytest.raises(StopIteration) as found:
        next(parser)
    assert found.value.value == Frame(Opcode.TEXT, payload, True)


def test_fragments_are_one_message_after_the_control_frames_between_them() -> None:
    first = written(Opcode.TEXT, b'{"ty', mask=True, fin=False)
    ping = written(Opcode.PING, b"?", mask=True)
    last = written(Opcode.CONT, b'pe":"a"}', mask=True)
    found = read(first + ping + last)
    assert [message.raw for message in found] == [ping, first + last]
    assert [message.event() for message in found] == [None, {"type": "a"}]


def test_a_close_is_one_to_the_library() -> None:
    protocol = Protocol(Side.CLIENT, state=State.OPEN)
    protocol.receive_data(close_frame(1011, "why ä" * 50))
    assert protocol.close_rcvd is not None
    assert (protocol.close_rcvd.code, protocol.close_rcvd.reason[:9]) == (1011, "why äwhy ")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1_000), text=st.text(max_size=20), mask=st.booleans())
def test_broken_texts_are_what_they_are_said_to_be(seed: int, text: str, mask: bool) -> None:
    payload = f'{{"type": "{text.encode().hex()} ä€"}}'.encode()
    [message] = read(written(Opcode.TEXT, payload, mask=mask))
    [json] = read(message.broken("json", random.Random(seed)))
    assert json.event() is None
    assert json.payload.decode() != payload.decode()
    [utf8] = read(message.broken("utf8", random.Random(seed)))
    with pytest.raises(UnicodeDecodeError):
        utf8.payload.decode()
    assert (json.masked, utf8.masked) == (mask, mask)
    assert message.broken("frame", random.Random(seed))[0] & 0x70


@pytest.mark.parametrize("payload", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_event_is_none(payload: bytes) -> None:
    assert WireMessage(1, payload, b"", False).event() is None


def test_frames_without_measure_are_refused() -> None:
    with pytest.raises(ConnectionError, match="64 MiB"):
        read(bytes([0x81, 127]) + (2**40).to_bytes(8, "big"))
