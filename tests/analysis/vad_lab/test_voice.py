"""The reference voice is that of the listener, wherever the audio began and was committed."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.analysis.vad_lab.voice import ReferenceVoice
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.protocol.conversation import Conversation
from tests.paths import DATA


@pytest.fixture(scope="module")
def pcm() -> bytes:
    voice = load_audio(DATA / "cards_001.wav")[: 3 * 24_000]
    still = np.zeros(24_000, np.float32)
    return pcm_from_samples(np.concatenate([still, voice, still]))


def test_it_hears_what_the_listener_hears(pcm: bytes) -> None:
    voice, listener = ReferenceVoice(Conversation(), 0.0), SpeechListener()
    for start in range(0, len(pcm), 4_800):
        voice.push(pcm[start : start + 4_800])
        listener.push(pcm[start : start + 4_800])
        if listener.open_ms is not None:
            assert voice.spans()[-1] == (listener.open_ms, listener.heard_ms)
    assert voice.spans() == listener.spans_ms
    assert voice.spans(since_ms=1e9) == []


def test_it_lies_where_it_was_sent(pcm: bytes) -> None:
    first, late = ReferenceVoice(Conversation(), 0.0), ReferenceVoice(Conversation(), 10_010.0)
    first.push(bytes(48 * 26) + pcm)
    late.push(pcm)
    shifted = [(start + 9_984, end + 9_984) for start, end in first.spans()]
    assert late.spans() == shifted


def test_a_commit_ends_what_is_being_said(pcm: bytes) -> None:
    conversation = Conversation()
    voice = ReferenceVoice(conversation, 0.0)
    voice.push(pcm[: 48 * 1_800])
    assert len(voice.spans()) == 1
    conversation.audio.cuts_ms.append(1_800.0)
    voice.push(pcm[48 * 1_800 :])
    assert voice.spans()[0][1] <= 1_800


def test_what_is_known_is_not_listened_to_again(pcm: bytes) -> None:
    voice = ReferenceVoice(Conversation(), 0.0, [(0.0, 100.0), (200.0, 300.0)])
    voice.push(pcm)
    voice.over()
    assert voice.spans() == [(0, 100), (200, 300)]
    assert voice.spans(150) == [(200, 300)]
