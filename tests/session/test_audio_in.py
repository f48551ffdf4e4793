"""The user's audio on its way: all of it, in order, whatever holds it back."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.wire import WireAudio
from realtime_nb.session.audio_in import LOOKAHEAD_MS, AudioIn
from realtime_nb.testing import silence
from tests.paths import ROOT

CARDS = pcm_from_samples(load_audio(ROOT / "realtime_nb/samples/cards_005.wav"))


class Sent:
    def __init__(self) -> None:
        self.pcm = b""
        self.room = True
        self.audio_in = AudioIn(WireAudio(), self.take, lambda: self.room)

    def take(self, payload: str, pcm: bytes, captured_s: float | None) -> None:
        assert base64.b64decode(payload) == pcm
        self.pcm += pcm


@given(
    st.lists(st.sampled_from(["append", "look", "no more"]), max_size=60),
    st.lists(st.integers(1, 2_000), min_size=60, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_doubled_or_moved(steps: list[str], lengths: list[int]) -> None:
    sent, said = Sent(), b""
    for n, step in enumerate(steps):
        if step == "append":
            pcm = bytes([n % 256, 0]) * lengths[n]
            said += pcm
            sent.audio_in.append(pcm, n / 10)
        elif step == "look":
            sent.audio_in.look_ahead()
        else:
            sent.audio_in.look_no_more()
        assert said.startswith(sent.pcm)
        assert len(said) - len(sent.pcm) <= 48 * LOOKAHEAD_MS + 2 * 2_000
    sent.audio_in.look_no_more()
    assert sent.pcm == said


def push(sent: Sent, pcm: bytes) -> None:
    for start in range(0, len(pcm), 1_920):
        sent.audio_in.append(pcm[start : start + 1_920], None)


def test_silence_is_known_only_after_looking_ahead() -> None:
    sent = Sent()
    push(sent, silence(1_000))
    assert not sent.audio_in.is_quiet
    sent.audio_in.look_ahead()
    push(sent, silence(LOOKAHEAD_MS - 40))
    assert not sent.audio_in.is_quiet
    push(sent, silence(80))
    assert sent.audio_in.is_quiet


def test_a_voice_is_heard_before_the_server_gets_it() -> None:
    sent = Sent()
    sent.audio_in.look_ahead()
    push(sent, silence(600))
    quiet = True
    spoken = 0
    while quiet and spoken < len(CARDS):
        sent.audio_in.append(CARDS[spoken : spoken + 960], None)
        spoken += 960
        quiet = sent.audio_in.is_quiet
    assert not quiet
    assert len(sent.pcm) <= 48 * 600  # nothing of the voice has left


def test_audio_waits_for_room_for_its_format_and_for_a_move() -> None:
    sent = Sent()
    assert sent.audio_in.takes_audio()
    sent.room = False
    assert not sent.audio_in.takes_audio()
    sent.room = True
    sent.audio_in.format_is_settled = False
    assert not sent.audio_in.takes_audio()
    sent.audio_in.format_is_settled = True
    sent.audio_in.flows = False
    assert not sent.audio_in.takes_audio()
