from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_nb.audio.pcm import Samples, samples_from_pcm
from realtime_nb.errors import ConfigurationError, MissingExtraError
from realtime_nb.local import tts as tts_module
from realtime_nb.local.stt import MoonshineSTT
from realtime_nb.local.tts import HibariTTS, load_tts, spoken_text
from tests.local.test_stt import word_error_rate

VOICES = ["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"]
SENTENCES = [
    "Your appointment with Doctor Smith is on Tuesday at half past ten in the morning.",
    "I have booked a table for four people tomorrow evening.",
    "The weather will be sunny with a light breeze from the west.",
    "Sorry, I did not understand that. Could you say it again?",
    "There are two rooms left, and both of them have a view of the garden.",
    "Is there anything else that I can help you with today?",
]
HELLO = "Hello, how can I help you?"


@pytest.fixture(scope="module")
def tts() -> HibariTTS:
    engine = load_tts()
    engine.warm_up()
    return engine


@pytest.fixture(scope="module")
def stt() -> MoonshineSTT:
    return MoonshineSTT()


def silence_ms(samples: Samples) -> float:
    """Milliseconds before the first sample above 1 % of the loudest."""
    return float(np.argmax(np.abs(samples) > 0.01 * np.abs(samples).max())) / 24


def pitch_hz(pcm: bytes) -> float:
    """Median pitch by autocorrelation of the loud 40-ms frames."""
    samples = samples_from_pcm(pcm)
    frames = samples[: len(samples) // 960 * 960].reshape(-1, 960)
    loud = frames[np.square(frames).mean(axis=1) > np.square(frames).mean()]
    lags = np.arange(24_000 // 320, 24_000 // 110)
    scores = [[frame[:-lag] @ frame[lag:] / (len(frame) - lag) for lag in lags] for frame in loud]
    return float(np.median(24_000 / lags[np.argmax(scores, axis=1)]))


def test_sentences_are_understood(tts: HibariTTS, stt: MoonshineSTT) -> None:
    heard = [(text, stt.transcribe(tts.speak(text), 24_000)) for text in SENTENCES]

    assert word_error_rate(heard) <= 0.10, heard


@pytest.mark.parametrize("voice", ["cedar", "shimmer"])
def test_the_outermost_voices_are_understood(tts: HibariTTS, stt: MoonshineSTT, voice: str) -> None:
    heard = [(text, stt.transcribe(tts.speak(text, voice), 24_000)) for text in SENTENCES[:4]]

    assert word_error_rate(heard) <= 0.10, heard


@pytest.mark.parametrize(
    ("text", "spoken", "heard_as"),
    [
        ("It starts at 10:00.", "It starts at ten o'clock.", "it starts at 10 o'clock"),
        ("Come to us at 2:30 PM.", "Come to us at two thirty p m.", "come to us at 2:30 p.m."),
        (
            "That will be on 2026-11-24.",
            "That will be on November twenty fourth, twenty twenty six.",
            "that will be on november 24th 2026",
        ),
        ("It costs $20.", "It costs twenty dollars.", "it costs $20"),
    ],
)
def test_numbers_are_spoken_sensibly(
    tts: HibariTTS, stt: MoonshineSTT, text: str, spoken: str, heard_as: str
) -> None:
    heard = stt.transcribe(tts.speak(text), 24_000)

    assert min(word_error_rate([(form, heard)]) for form in (spoken, heard_as)) <= 0.15, heard


@pytest.mark.parametrize("text", [HELLO, "Thanks!", "Sorry? Yes, fine."])
@pytest.mark.parametrize("voice", ["alloy", "cedar", "shimmer"])
@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_silence_is_short(tts: HibariTTS, text: str, voice: str, speed: float) -> None:
    samples = samples_from_pcm(tts.speak(text, voice, speed))

    assert 10 <= silence_ms(samples) <= 40
    assert 100 <= silence_ms(samples[::-1]) <= 160


def test_the_same_words_are_the_same_bytes(tts: HibariTTS) -> None:
    first = tts.speak(HELLO, "coral", 1.1)
    tts.speak("Something else.")

    assert tts.speak(HELLO, "coral", 1.1) == first
    assert tts.speak("Yes. No.") == tts.speak("Yes.") + tts.speak("No.")


def test_threads_get_the_same_bytes(tts: HibariTTS) -> None:
    texts = [f"{sentence} Zorblatt." for sentence in SENTENCES[:4]] * 2
    alone = [tts.speak(text, "ash") for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: tts.speak(text, "ash"), texts))

    assert together == alone
    assert len(set(alone)) == 4


@pytest.mark.parametrize("text", ["", " \n ", "...", "—", "🙂", "$", "「」", "?!", "```"])
def test_nothing_to_say_is_no_audio(tts: HibariTTS, text: str) -> None:
    assert tts.speak(text) == b""


def test_speed_changes_the_pace_and_keeps_the_pitch(tts: HibariTTS) -> None:
    normal = tts.speak(SENTENCES[0])

    for speed in (0.25, 0.5, 1.5):
        paced = tts.speak(SENTENCES[0], "alloy", speed)
        assert len(normal) / len(paced) == pytest.approx(speed, rel=0.15)
        assert pitch_hz(paced) == pytest.approx(pitch_hz(normal), rel=0.15)


@pytest.mark.parametrize("speed", [0.0, 0.24, 1.51, float("nan")])
def test_other_speeds_are_refused(tts: HibariTTS, speed: float) -> None:
    with pytest.raises(ConfigurationError, match=r"0\.25 to 1\.5"):
        tts.speak(HELLO, "alloy", speed)


def test_no_two_voices_are_the_same(tts: HibariTTS) -> None:
    assert len({tts.speak(HELLO, voice) for voice in VOICES}) == len(VOICES)


@pytest.mark.parametrize("voice", ["ash", "cedar", "sage", "shimmer"])
def test_voices_are_shifted_as_listed(tts: HibariTTS, voice: str) -> None:
    semitones, pace = tts_module._VARIATIONS[voice]
    texts = [HELLO, SENTENCES[0], SENTENCES[3]]
    normal, shifted = ([tts.speak(text, name) for text in texts] for name in ("alloy", voice))
    shifts = [12 * np.log2(pitch_hz(b) / pitch_hz(a)) for a, b in zip(normal, shifted, strict=True)]

    # The melody follows the pace a little, so single sentences differ by a semitone.
    assert np.mean(shifts) == pytest.approx(semitones, abs=0.8)
    assert sum(map(len, normal)) / sum(map(len, shifted)) == pytest.approx(pace, rel=0.12)


def test_alloy_is_the_voice_as_recorded(tts: HibariTTS) -> None:
    raw = tts._engine(HELLO, seed=0)
    spoken = samples_from_pcm(tts.speak(HELLO, "alloy"))
    start = int(np.argmax(np.correlate(raw, spoken[:2_000])))

    assert np.abs(raw[start : start + len(spoken)] - spoken).max() < 1e-4


def test_an_unknown_voice_is_always_the_same_one(tts: HibariTTS) -> None:
    assert tts.speak("Yes.", "nobody") == tts.speak("Yes.", "nobody")
    assert len({tts_module._variation(f"voice {i}") for i in range(100)}) == len(VOICES)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Plain words stay, 1,250 of them at 10:00 for $20.50.", None),
        ("It ends at 9:05 AM, or 10:30 p.m. on 2026-11-24.", None),
        ("The score was 16:9, call 555-1234.", None),
        ("At 14:05, not 00:15.", "At 2:05 PM, not 12:15 AM."),
        ("14:05 PM", "14:05 PM"),
        ("At 10:00:00.", "At 10:00."),
        ("10:00-11:30, 9am–5pm, 9 - 10 AM", "10:00 to 11:30, 9am to 5pm, 9 to 10 AM"),
        ("$10-$20", "$10 to $20"),
        ("2026-11-24T10:00:00", "2026-11-24 at 10:00"),
        ("2026-11-24T14:30:00.000Z", "2026-11-24 at 2:30 PM UTC"),
        ("2026-11-24T09:30+01:00.", "2026-11-24 at 09:30."),
        ("Tue, Nov 24 or Thurs. at 5", "Tuesday, Nov 24 or Thursday at 5"),
        ("Mon 24 and Sat. Nov 28", "Monday 24 and Saturday Nov 28"),
        ("The Sun sat on Mon Repos. We Wed.", "The Sun sat on Mon Repos. We Wednesday"),
        ("Fruit, e.g. apples, i.e. food", "Fruit, for example apples, that is food"),
        ("(555) 123-4567", "5 5 5, 123-4567"),
        ("Your code is 483920, id: 1234.", "Your code is 4 8 3 9 2 0, id: 1 2 3 4."),
        ("9,999,999,999,999,999", " ".join("9" * 16)),
        ("999,999,999,999,999", None),
        ("Step ③ of ❹, 5 m² or H₂O", "Step 3 of 4, 5 m² or H2O"),
        ("order #A12B", "order number A12B"),
        ("# Heading\nSee [the guide](/docs/).", "Heading\nSee the guide."),
        ("https://www.example.com/a", "example.com/a"),
    ],
)
def test_what_would_be_misread_is_written_out(text: str, spoken: str | None) -> None:
    assert spoken_text(text) == (text if spoken is None else spoken)


_SCRAPS = st.sampled_from(
    [
        *"0123456789.,:;-–/$£€%#()[]&+=<>~'\" \nxsIV°½²③❹٣一🙂\x00\u200b\ud800",
        *("10:00", "PM", "2026-11-24", "13/45/2020", "99:99", "1/0", "£5k", "No.", "1st", "$1.2.3"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_SCRAPS).map("".join) | st.text())
@example("9" * 400)
def test_any_text_can_be_read(tts: HibariTTS, text: str) -> None:
    for phonemes in tts._sentences(text):
        assert tts._engine.ids(phonemes)


def test_a_missing_engine_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tts_module, "_hibari", tts_module._hibari.__wrapped__)
    monkeypatch.setitem(sys.modules, "hibari", None)

    with pytest.raises(MissingExtraError, match=r"hibari-tts.*realtime_nb\[local\]"):
        load_tts()
