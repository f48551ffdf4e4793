from __future__ import annotations

import base64
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.analysis import tables
from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.turn_moments import Moments
from realtime_nb.analysis.voices import find_voices
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.testing import silence
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.spoken_recording import SERVER_VAD

CHUNK = 1920  # 40 ms
LATE_S = 0.07


class Live:
    """A session in time with its microphone, which hands over what it took 70 ms ago."""

    def __init__(self, detection: dict[str, object] | None) -> None:
        self.rec = MadeRecording()
        session = {"audio": {"input": {"turn_detection": detection}}}
        self.rec.got(0.1, "session.created", session=session)
        self.meter = LatencyMeter(self.rec.conversation)
        self.now_s = 1.0
        self.pcm = b""
        self.told: list[Moments] = []

    def say(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), CHUNK):
            chunk = pcm[at : at + CHUNK]
            self.now_s += len(chunk) / 48_000
            audio = base64.b64encode(chunk).decode()
            captured_s = self.now_s - LATE_S
            self.rec.sent(self.now_s, "input_audio_buffer.append", captured_s, audio=audio)
            self._take(self.meter.sent(chunk))
        self.pcm += pcm

    def committed(self, item_id: str) -> None:
        self.rec.user(self.now_s, item_id, "words")

    def committed_by_hand(self, item_id: str) -> None:
        """The key is let go."""
        self.rec.sent(self.now_s, "input_audio_buffer.commit")
        self.committed(item_id)

    def answered(self, response_id: str, after_s: float) -> None:
        self.now_s += after_s
        self.rec.answer(self.now_s, response_id, 300, "an answer")
        self.sounds(f"{response_id}_item")

    def sounds(self, item_id: str) -> None:
        self.rec.played(item_id, 0.0, "started", self.now_s)
        self._take(self.meter.played(PlaybackReport(item_id, 0.0, "started", self.now_s)))

    def latency_ms(self) -> list[float]:
        """What the table says when all is over."""
        self.rec.input = samples_from_pcm(self.pcm)
        self.rec.output = np.zeros(0, np.float32)
        heard = find_voices(self.rec)
        table = tables.latency(self.rec.conversation, self.rec.input_clock, heard)
        found: list[float] = table.latency_ms.tolist()
        return found

    def _take(self, moments: Moments | None) -> None:
        if moments is not None:
            self.told.append(moments)


@pytest.fixture(scope="module")
def sentence() -> bytes:
    return pcm_from_samples(load_audio(DATA / "austen_0880.wav"))


# "He was not an ill disposed young man": where the last word fades into the noise of the room.
SPOKEN_MS = 2_795


def reported(live: Live, number: int, start_ms: float, end_ms: float) -> None:
    """The server takes that for speech: with its window of 224 ms, and 300 ms of padding."""
    where = {"item_id": f"u{number}"}
    start, stop = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
    live.rec.got(live.now_s, start, audio_start_ms=start_ms - 300, **where)
    live.rec.got(live.now_s, stop, audio_end_ms=end_ms + 224, **where)
    live.committed(f"u{number}")


@pytest.mark.parametrize("server_end_ms", [2_720, 2_848, 2_976])  # as at 0.8, 0.5 and 0.2
def test_the_end_is_the_voices_whatever_the_server_takes_for_it(
    sentence: bytes, server_end_ms: int
) -> None:
    live = Live(SERVER_VAD)
    live.say(silence(1_000) + sentence + silence(530))  # 4520 ms
    reported(live, 0, 1_300, 1_000 + server_end_ms)
    live.answered("r", 0.3)
    (told,) = live.told
    # That was taken 70 ms before it was sent, as all of it.
    assert told.latency_ms == pytest.approx(4_520 - 1_000 - SPOKEN_MS + 300 + 70, abs=30)
    assert (told.speech_end_source, told.note) == ("offline_vad", None)
    assert live.latency_ms() == [told.latency_ms]


def test_an_answer_that_sounds_before_the_voice_is_known_to_have_ended(sentence: bytes) -> None:
    live = Live(SERVER_VAD)
    spoken = silence(1_000) + sentence[: 48 * 2_800]
    live.say(spoken + silence(120))  # a server that is quick, or deaf to weak sounds
    reported(live, 0, 1_300, 3_696)
    live.answered("r", 0.02)
    assert [math.isnan(told.latency_ms) for told in live.told] == [True]
    assert live.told[0].note == "the voice has not ended yet"
    live.say(silence(400))
    assert [told.latency_ms for told in live.told[1:]] == live.latency_ms()


def test_a_server_that_heard_what_is_no_voice() -> None:
    live = Live(SERVER_VAD)
    live.say(silence(2_000))
    reported(live, 0, 500, 1_500)
    live.answered("r", 0.3)
    (told,) = live.told
    assert math.isnan(told.latency_ms) and told.note == "no voice in its audio"


@settings(max_examples=10, deadline=None)
@given(
    released_ms=st.lists(st.integers(20, 400), min_size=1, max_size=3),
    more_ms=st.integers(0, 100),
    after_ms=st.integers(50, 900),
)
def test_a_panel_says_what_the_table_says(
    sentence: bytes, released_ms: list[int], more_ms: int, after_ms: int
) -> None:
    """However soon the key is let go and the answer comes, in chunks of 40 ms."""
    live = Live(None)
    for number, silent_ms in enumerate(released_ms):
        live.say(silence(300 + more_ms) + sentence[: 48 * SPOKEN_MS] + silence(silent_ms))
        live.committed_by_hand(f"u{number}")
        live.answered(f"r{number}", after_ms / 1000)
        live.now_s += 2
    assert [told.latency_ms for told in live.told] == live.latency_ms()
    waited_ms = [silent_ms + after_ms + 70 for silent_ms in released_ms]
    assert [told.latency_ms for told in live.told] == pytest.approx(waited_ms, abs=40)


def test_a_key_held_to_talk(sentence: bytes) -> None:
    live = Live(None)
    for number, pcm in enumerate((sentence, sentence[: len(sentence) // 2 // CHUNK * CHUNK])):
        live.say(pcm + silence(280))
        live.committed(f"u{number}")
        live.answered(f"r{number}", 0.4)
        live.now_s += 5
    assert [told.speech_end_source for told in live.told] == ["offline_vad"] * 2
    assert [told.latency_ms for told in live.told] == live.latency_ms()


def test_what_is_said_at_the_next_press_of_the_key_is_of_the_next_turn(sentence: bytes) -> None:
    live = Live(None)
    words = sentence[: 24 * 2 * 2600 // CHUNK * CHUNK]
    live.say(words + silence(316))  # the key is let go in the middle of a 32-ms frame
    assert live.rec.conversation.input_ms % 32 == 4
    live.committed("u0")
    live.answered("r0", 0.4)
    live.say(words[24 * 2 * 1200 :] + silence(300))  # and pressed in the middle of a word
    live.committed("u1")
    live.answered("r1", 0.4)
    assert [told.latency_ms for told in live.told] == live.latency_ms()


def test_a_voice_without_an_end_is_told_of_when_it_has_one(sentence: bytes) -> None:
    live = Live(None)
    live.say(sentence[: 12 * 2 * 2000 // CHUNK * CHUNK] + silence(80))
    live.committed("u")
    live.answered("r", 0.4)
    assert [math.isnan(told.latency_ms) for told in live.told] == [True]
    live.say(silence(400))
    assert [told.latency_ms for told in live.told[1:]] == live.latency_ms()
    live.say(silence(400))
    assert len(live.told) == 2


def test_of_an_answer_that_goes_on_nothing_is_told(sentence: bytes) -> None:
    live = Live(None)
    live.say(sentence + silence(280))
    live.committed("u")
    live.answered("r", 0.4)
    live.answered("more", 1.0)
    assert len(live.told) == 1


def test_nobody_waited_for_an_answer_that_answers_nothing() -> None:
    live = Live(None)
    live.answered("greeting", 0.2)
    live.sounds("unheard of")
    assert live.told == []


@pytest.mark.parametrize("late_ms", [40, 520, 2000])
@pytest.mark.parametrize("key", [True, False])
def test_who_begins_to_listen_late_says_the_same_of_what_follows(
    sentence: bytes, late_ms: int, key: bool
) -> None:
    """A view that is shown in the middle of a session, be it within a frame of 32 ms."""
    live = Live(None if key else SERVER_VAD)
    live.say(silence(late_ms // 40 * 40) + sentence[: 48 * late_ms // CHUNK * CHUNK])
    late = LatencyMeter(live.rec.conversation)
    sent, live.meter.sent = live.meter.sent, lambda pcm: (late.sent(pcm), sent(pcm))[1]  # type: ignore[method-assign]
    live.say(sentence[48 * late_ms // CHUNK * CHUNK :] + silence(600))
    end_ms = live.rec.conversation.input_ms - 600
    if key:
        live.committed_by_hand("u0")
    else:
        reported(live, 0, end_ms - SPOKEN_MS + 300, end_ms)
    live.answered("r0", 0.3)
    live.now_s += 1
    start_ms = live.rec.conversation.input_ms + 400
    live.say(silence(400) + sentence + silence(600))
    if key:
        live.committed_by_hand("u1")
    else:
        reported(live, 1, start_ms + 300, start_ms + SPOKEN_MS)
    live.answered("r1", 0.3)
    for meter in (late, live.meter):
        meter._turns.look()
        meter._cut()
    (_, first), (_, second) = late.latest(2)
    assert math.isnan(first.latency_ms) and first.note == "it was said before anybody measured"
    table = live.latency_ms()
    assert second.latency_ms == pytest.approx(table[1], abs=6)  # the noise it knows is shorter
    assert [moments.latency_ms for _, moments in live.meter.latest(2)] == table


def test_the_last_turns_are_told_at_any_time(sentence: bytes) -> None:
    live = Live(None)
    for number in range(4):
        live.say(silence(320) + sentence + silence(280))
        live.committed_by_hand(f"u{number}")
        live.answered(f"r{number}", 0.4)
        live.now_s += 5
    assert live.meter.count == 4
    found = live.meter.latest(3)
    assert [turn.number for turn, _ in found] == [2, 3, 4]
    assert [moments.latency_ms for _, moments in found] == live.latency_ms()[1:]
    assert live.meter.latest(0) == []
