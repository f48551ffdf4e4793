"""Payloads of which only the beginning was logged are no audio."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import pytest

from realtime_nb.archive.log_audio import LoggedAudio, is_sliced

PCM = [base64.b64encode(bytes(range(256)) * 20)[: 4 * n].decode() for n in range(1, 1_500)]


def appended(payloads: list[str], kind: str = "audio/pcm") -> LoggedAudio:
    side = {"format": {"type": kind}}
    created = {"type": "session.created", "session": {"audio": {"input": side, "output": side}}}
    events: list[dict[str, Any]] = [
        {"type": "input_audio_buffer.append", "audio": payload} for payload in payloads
    ]
    audio = LoggedAudio(events, from_client=False)
    audio.follow(created)
    for event in events:
        audio.take(event, recorded=False)
    audio.finish()
    return audio


@pytest.mark.parametrize("chars", [20, 40, 64, 80, 100, 200, 500, 1_000, 1_024, 2_000])
def test_slices_are_left_out(chars: int) -> None:
    audio = appended([PCM[chars // 4 - 1]] * 4)

    assert audio.stripped == {"input"}
    assert audio.pcm["input.wav"] == b""


@pytest.mark.parametrize(("kind", "ms"), [("audio/pcm", 10), ("audio/pcm", 20), ("audio/pcm", 100)])
def test_whole_chunks_are_audio(kind: str, ms: int) -> None:
    payload = base64.b64encode(bytes(48 * ms)).decode()

    audio = appended([payload] * 5, kind)

    assert audio.stripped == set()
    assert len(audio.pcm["input.wav"]) == 5 * 48 * ms


def test_what_differs_in_length_is_not_cut_at_one() -> None:
    assert not is_sliced(Counter({6_400: 3, 1_000: 1, 6_388: 5}))
    assert is_sliced(Counter({1_000: 8, 760: 2}))  # most were longer than that
    assert not is_sliced(Counter({216: 40}))  # 20 ms of G.711
    assert not is_sliced(Counter())
