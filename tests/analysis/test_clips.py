from __future__ import annotations

import io
import math
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.clips import RecordingClip, cut, interleaved
from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.recordings.recording import Recording, load
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns


@pytest.fixture(scope="module")
def rec(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return load(recorder.path)


def test_both_voices_are_where_they_were(rec: Recording) -> None:
    # The microphone began at 1 s, so its audio at 1000 ms is from t = 2 s; the answer was played
    # from 3.78 s.
    clip = RecordingClip(rec, 2.0, 4.78)

    assert clip.duration_s == pytest.approx(2.78)
    assert clip.user.dtype == clip.agent.dtype == np.float32
    assert len(clip.user) == len(clip.agent) == round(2.78 * 24_000)
    assert np.array_equal(clip.user[:23_424], rec.input[24_000 : 24_000 + 23_424])
    start = round(1.78 * 24_000)
    assert not clip.agent[:start].any()
    assert np.array_equal(clip.agent[start:], rec.output[round(3.78 * 24_000) :][:24_000])
    assert np.array_equal(clip.stereo, np.stack([clip.user, clip.agent], axis=1))


def test_the_file_is_stereo(rec: Recording, tmp_path: Path) -> None:
    clip = RecordingClip(rec, 2.0, 4.0)
    path = clip.save(tmp_path / "clip.wav")

    with wave.open(io.BytesIO(path.read_bytes())) as file:
        assert file.getparams()[:4] == (2, 2, 24_000, 48_000)
        samples = np.frombuffer(file.readframes(48_000), "<i2").reshape(-1, 2) / 32_768
    assert np.abs(samples - clip.stereo).max() < 1e-4
    assert samples[:, 0].any()
    assert samples[:, 1].any()


def test_what_happened_in_it(rec: Recording) -> None:
    clip = RecordingClip(rec, 7.0, 9.5)

    assert list(clip.events.t_s) == [t for t in rec.events.t_s if 7.0 <= t < 9.5]
    assert clip.transcript().splitlines() == [
        "0:07  user: Book ten o'clock.",
        '0:07  tool: book({"time": "10:00"}) → {"ok": true}',
        "0:08  agent: Booked for ten.",
    ]


def test_an_interrupted_answer_is_what_was_heard_of_it(rec: Recording) -> None:
    assert RecordingClip(rec, 12.5, 13.5).transcript().splitlines() == [
        "0:12  agent: Is there",
        "0:13  user: No, thank you.",
    ]


def test_nothing_happened(rec: Recording) -> None:
    clip = RecordingClip(rec, 0.01, 0.02)
    assert (clip.transcript(), len(clip.events)) == ("", 0)
    assert not clip.stereo.any()


def test_a_bare_file_is_the_user() -> None:
    rec = load(DATA / "cards_001.wav")
    clip = RecordingClip(rec, 0.5, 1.0)
    assert np.array_equal(clip.user, rec.input[12_000:24_000])
    assert not clip.agent.any()
    assert RecordingClip(rec, 0.0, rec.duration_s).transcript() == ""


def test_neither_a_clip_nor_its_player_puts_sound_into_a_file(rec: Recording) -> None:
    clip = RecordingClip(rec, 2.0, 4.0)
    name = f"{rec.path.name}: 2.00 s to 4.00 s"
    assert repr(clip).startswith(f"<RecordingClip {name};")
    assert not hasattr(clip, "_repr_html_")

    player = clip.audio()
    for told in (repr(player), player._repr_html_()):
        assert name in told
        assert "in a notebook" in told
        assert "save(" in told
        assert len(told) < 400


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [
        (5.0, 3.0, "ends after it starts"),
        (3.0, 3.0, "ends after it starts"),
        (math.nan, 3.0, "ends after it starts"),
        (-0.1, 3.0, "not within the session, which goes from 0 to"),
        (1.0, 1000.0, "not within the session, which goes from 0 to"),
    ],
)
def test_what_is_no_range_is_refused(
    rec: Recording, start_s: float, end_s: float, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        RecordingClip(rec, start_s, end_s)


@given(
    begins=st.lists(st.integers(0, 40), max_size=4), start=st.integers(0, 30), n=st.integers(1, 20)
)
def test_a_cut_is_the_part_of_the_whole(begins: list[int], start: int, n: int) -> None:
    pieces = [
        (begin / 24_000, np.arange(1, 9, dtype=np.float32) + 10 * index)
        for index, begin in enumerate(sorted(begins))
    ]
    whole = cut(pieces, 0.0, 60 / 24_000)
    part = cut(pieces, start / 24_000, (start + n) / 24_000)
    assert np.array_equal(part, whole[start : start + n])


def test_interleaved() -> None:
    left, right = np.array([0.5, 0], np.float32), np.array([0, -0.5], np.float32)
    pcm = np.frombuffer(interleaved(left, right), "<i2")
    assert list(np.sign(pcm)) == [1, 0, 0, -1]
