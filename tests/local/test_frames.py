from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from realtime_nb.local import frames as frames_module
from realtime_nb.local.frames import BYTES_PER_FRAGMENT, FREE_FRAGMENTS, Flood, FrameCutter

Sent = tuple[Opcode, bytes, bool]


def wire(*sent: Sent) -> bytes:
    return b"".join(Frame(op, data, fin).serialize(mask=True) for op, data, fin in sent)


def understood(pieces: list[bytes]) -> list[tuple[Opcode, bytes]]:
    """The messages and control frames that the sockets library makes of it."""
    protocol = Protocol(SERVER, state=OPEN)
    protocol.max_message_size = None
    for piece in pieces:
        protocol.receive_data(piece)
    assert protocol.parser_exc is None
    found: list[tuple[Opcode, bytes]] = []
    parts: list[bytes] = []
    kind = Opcode.TEXT
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            found.append((frame.opcode, bytes(frame.data)))
            continue
        kind = kind if frame.opcode is Opcode.CONT else frame.opcode
        parts.append(bytes(frame.data))
        if frame.fin:
            found.append((kind, b"".join(parts)))
            parts = []
    return found


SIZES = st.sampled_from([0, 1, 3, 4, 63, 64, 65, 125, 126, 127, 128, 500, 65_535, 65_536, 66_000])


@st.composite
def messages(draw: st.DrawFn) -> list[Sent]:
    sent: list[Sent] = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        sizes = draw(st.lists(SIZES, min_size=1, max_size=4))
        for index, size in enumerate(sizes):
            data = bytes((number + index + i) % 251 for i in range(size))
            sent.append((kind if index == 0 else Opcode.CONT, data, index == len(sizes) - 1))
            if draw(st.booleans()):
                sent.append((draw(st.sampled_from([Opcode.PING, Opcode.PONG])), b"hi", True))
    return sent


@given(
    sent=messages(),
    cut=st.sampled_from([1, 7, 1_000, 65_536, 1_000_000]),
    piece=st.sampled_from([4_096, 65_536]),
)
def test_the_messages_are_the_same(sent: list[Sent], cut: int, piece: int) -> None:
    data = wire(*sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames_module, "PIECE_BYTES", piece)
        patch.setattr(frames_module, "CONTROL_BURST", 1_000)
        cutter = FrameCutter()
        pieces = [
            part
            for start in range(0, len(data), cut)
            for part in cutter.pieces(data[start : start + cut], 0.0)
        ]
    assert understood(pieces) == understood([data])
    assert max(map(len, pieces), default=0) <= max(piece, 125)


def drain(cutter: FrameCutter, data: bytes, now_s: float = 0.0) -> None:
    for _ in cutter.pieces(data, now_s):
        pass


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
def test_pings_have_a_budget(opcode: Opcode) -> None:
    cutter, ping = FrameCutter(), wire((opcode, b"x" * 125, True))
    for tenth in range(600):  # ten a second are too many; eight are not
        drain(cutter, ping, tenth / 8)
    with pytest.raises(Flood) as flood:
        drain(FrameCutter(), ping * 65)
    assert flood.value.code == 1008
    with pytest.raises(Flood):
        for tenth in range(600):
            drain(cutter, ping, 75 + tenth / 10)


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_message_in_too_many_fragments(size: int) -> None:
    cutter = FrameCutter()
    drain(cutter, wire((Opcode.TEXT, b"", False)))
    fragment = wire((Opcode.CONT, b"x" * size, False))
    allowed = FREE_FRAGMENTS * BYTES_PER_FRAGMENT // (BYTES_PER_FRAGMENT - size) + 2
    with pytest.raises(Flood) as flood:
        drain(cutter, fragment * allowed)
    assert flood.value.code == 1009


def test_usual_fragments_are_not_too_many() -> None:
    cutter = FrameCutter()
    for _ in range(3):
        drain(cutter, wire((Opcode.TEXT, b"x" * 1024, False)))
        drain(cutter, wire((Opcode.CONT, b"x" * 1024, False)) * 20_000)
        drain(cutter, wire((Opcode.CONT, b"x", True)))
    for _ in range(10_000):
        drain(cutter, wire((Opcode.TEXT, b"{}", True)))


@pytest.mark.parametrize("length", [25_165_825, 2**40, 2**63 - 1])
def test_a_frame_that_is_far_too_long_is_known_by_its_header(length: int) -> None:
    header = bytes((0x81, 0xFF)) + length.to_bytes(8) + b"abcd"
    with pytest.raises(Flood) as flood:
        drain(FrameCutter(), header)
    assert flood.value.code == 1009


def test_fragments_add_up() -> None:
    cutter = FrameCutter()
    drain(cutter, wire((Opcode.TEXT, bytes(2**20), False)))
    with pytest.raises(Flood):
        for _ in range(24):
            drain(cutter, wire((Opcode.CONT, bytes(2**20), False)))
