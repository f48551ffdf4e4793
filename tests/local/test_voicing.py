"""From a sentence to speech in the client's format, at once or in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from realtime_nb.audio.pcm import decode, samples_from_pcm
from realtime_nb.errors import RealtimeError
from realtime_nb.local.voicing import voiced
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.testing import tone
from tests.local.fake_engines import WatchedTTS, fake_engines


class InPieces(WatchedTTS):
    def __init__(self, pieces: Sequence[bytes], sample_rate: int = 24_000) -> None:
        super().__init__(sample_rate=sample_rate)
        self.pieces = pieces
        self.ended = False

    async def speak_async(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                await asyncio.sleep(0)
                yield piece
        finally:
            self.ended = True


def cut(pcm: bytes, size: int) -> list[bytes]:
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


async def said(tts: WatchedTTS, format_type: str = "audio/pcm") -> list[bytes]:
    return [x async for x in voiced("Hi.", "alloy", 1.0, format_type, fake_engines(tts=tts))]


@pytest.mark.parametrize("size", [1, 999, 1_000, 100_000])
@pytest.mark.parametrize("format_type", ["audio/pcm", "audio/pcmu"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
async def test_pieces_are_the_whole(size: int, format_type: str, rate: int) -> None:
    pcm = tone(200, hz=440, sample_rate=rate)
    audio = b"".join(await said(InPieces(cut(pcm, size), rate), format_type))
    wire_rate = wire_format(format_type).sample_rate
    samples = samples_from_pcm(decode(format_type, audio))
    assert len(samples) == pytest.approx(0.2 * wire_rate, abs=2)
    peak_hz = np.abs(np.fft.rfft(samples)).argmax() * wire_rate / len(samples)
    assert peak_hz == pytest.approx(440, abs=5)


async def test_a_piece_leaves_before_the_next_one_is_there() -> None:
    tts = InPieces([tone(40), tone(40)])
    pieces = voiced("Hi.", "alloy", 1.0, "audio/pcm", fake_engines(tts=tts))
    assert await anext(pieces) == tone(40)
    assert not tts.ended
    await pieces.aclose()
    assert tts.ended


async def test_nothing_to_say_and_half_a_sample() -> None:
    assert await said(InPieces([])) == []
    assert b"".join(await said(InPieces([b"", b"a", b"", b"bc"]))) == b"ab"


async def test_a_piece_that_is_no_speech_or_never_comes() -> None:
    with pytest.raises(RealtimeError, match="'fake-tts' gave str"):
        await said(InPieces(["no"]))  # type: ignore[list-item]

    class Hangs(InPieces):
        async def speak_async(
            self, text: str, voice: str, speed: float = 1.0
        ) -> AsyncIterator[bytes]:
            yield tone(40)
            await asyncio.Event().wait()

    engines = fake_engines(tts=Hangs([]), timeout_s=0.05)
    with pytest.raises(RealtimeError, match="voice gave nothing for"):
        async for _ in voiced("Hi.", "alloy", 1.0, "audio/pcm", engines):
            pass


async def test_an_engine_that_blocks_gives_it_at_once() -> None:
    tts = WatchedTTS(audio_ms=300)
    assert await said(tts) == [tone(300)]
    assert tts.calls == [("Hi.", "alloy", 1.0)]
