from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.audio.files import load_audio
from realtime_nb.recordings.swept_sources import Swept, swept_sources
from tests.paths import DATA

CARDS = DATA / "cards_001.wav"


def one(source: object, labels: object = None, **options: Any) -> Swept:
    (found,) = swept_sources(source, labels, **{"sample_rate": 24_000, "channel": None, **options})
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of a word, the first with its labels beside it."""
    for name in ("cards_001.wav", "cards_002.wav"):
        shutil.copy(DATA / name, tmp_path / name)
    (tmp_path / "cards_001.txt").write_text("0.2\t1.0\tten of clubs\n")
    return tmp_path


def test_a_file_with_its_labels_beside_it(folder: Path) -> None:
    found = one(folder / "cards_001.wav")

    assert found.truth == [TrueTurn(200, 1000, "ten of clubs")]
    assert (found.name, found.in_use) == ("cards_001.wav", None)
    assert one(str(folder / "cards_002.wav")).truth is None


def test_a_folder_of_files(folder: Path) -> None:
    first, second = swept_sources(folder, None, 24_000, None)

    assert [first.name, second.name] == ["cards_001.wav", "cards_002.wav"]
    assert (first.truth is None, second.truth is None) == (False, True)


def test_labels_by_name_and_in_order(folder: Path) -> None:
    for labels in ({"cards_002.wav": [(0.2, 1.8)]}, [None, [(0.2, 1.8)]]):
        first, second = swept_sources(folder, labels, 24_000, None)
        assert second.truth == [TrueTurn(200, 1800)]
        assert first.truth is not None


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"x.wav": []}, r"labels has x\.wav, and the audio is cards_001\.wav"),
        ([[(0, 1)]], "There are 2 pieces of audio"),
        ("labels.txt", "There are 2 pieces of audio"),
    ],
)
def test_labels_of_several_must_say_whose(folder: Path, labels: Any, words: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=words):
        swept_sources(folder, labels, 24_000, None)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 48_000])
def test_samples_of_any_rate(sample_rate: int) -> None:
    sound = load_audio(CARDS, sample_rate)

    found = one(sound, sample_rate=sample_rate)

    assert found.duration_ms == pytest.approx(1095.4, abs=1)
    assert one((sound * 32_767).astype(np.int16), sample_rate=sample_rate).name == "samples"


@pytest.mark.parametrize("sample_rate", [8_000, 48_000])
def test_stereo_files_of_any_rate(tmp_path: Path, sample_rate: int) -> None:
    sound = load_audio(CARDS, sample_rate)
    path = tmp_path / "call.wav"
    soundfile.write(path, np.stack([np.zeros_like(sound), sound], axis=1), sample_rate)

    found = one(path)

    assert found.duration_ms == pytest.approx(1095.4, abs=1)
    assert "channel 1 (right) was taken" in found.notes[0]
    assert float(np.abs(one(path, channel="left").sound[:]).max()) == 0
    with pytest.raises(rt.ConfigurationError, match="there is no channel 5"):
        one(path, channel=5)


def test_silent_and_clipped_audio_say_so() -> None:
    loud = np.clip(load_audio(CARDS) * 50, -1, 1)

    assert "clipped" in one(loud).level_notes()[0]
    assert "digital silence" in one(np.zeros(24_000)).level_notes()[0]
    assert one(load_audio(CARDS)).level_notes() == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros((10, 2)), r"shape \(10, 2\); give one channel"),
        (np.zeros(0), "holds no samples"),
        (np.array([0.1, np.nan]), "not finite"),
        (np.array(["a"]), "holds <U1; give floats"),
        (np.zeros(5, bool), "holds bool"),
    ],
)
def test_samples_that_are_none(source: Any, words: str) -> None:
    with pytest.raises(rt.AudioError, match=words):
        one(source)


@pytest.mark.parametrize("source", [5, None, [], {}, [0.1, 0.2], b"abc"])
def test_a_source_that_is_none(source: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match=r"^source is "):
        one(source)


@pytest.mark.parametrize("sample_rate", [0, -8000, 8000.5, "8000", True])
def test_a_rate_that_is_none(sample_rate: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match=r"^sample_rate is "):
        one(np.zeros(100), sample_rate=sample_rate)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(rt.RecordingError, match="does not exist"):
        one(tmp_path / "none.wav")
    with pytest.raises(rt.RecordingError, match="neither a recording nor an audio file"):
        one(tmp_path)


def test_a_list_of_all_kinds_has_names_apart(folder: Path) -> None:
    sound = load_audio(CARDS)

    found = swept_sources([sound, folder / "cards_002.wav", sound], None, 24_000, None)

    assert [piece.name for piece in found] == ["samples 1", "cards_002.wav", "samples 2"]


def test_a_recording_with_its_settings_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "written_before"
    shutil.copytree(DATA / "written_before", path)
    rec = rt.load(path)

    found = one(rec)
    used, told = found.in_use, rec.conversation.turn_detection
    assert used is not None and told is not None
    assert used.silence_duration_ms == told["silence_duration_ms"]
    assert found.truth is None
    assert [note for note in found.notes if "changed" in note]

    start_ms, end_ms = rec.voices.user_ms[0]
    end_s = rec.input_clock.wall(end_ms)
    rec.label(end_s, "speech end")
    (turn,) = one(path).truth or []
    assert turn.end_ms == pytest.approx(end_ms, abs=2)
    assert (turn.start_ms, turn.onset_told) == (start_ms, False)


def test_keys_that_were_pressed_in_the_lab_label_the_turns_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "written_before"
    shutil.copytree(DATA / "written_before", path)
    rec = rt.load(path)
    first, *_, last = rec.conversation.speech
    assert first.started_s is not None
    assert last.started_s is not None

    rec.label(last.started_s + 0.01, "not me")
    found = one(path)
    assert found.truth is not None
    count = len(rec.conversation.speech)
    assert len(found.truth) == count - 1  # all that the server heard, but for the last
    assert all(turn.end_ms <= last.audio_start_ms and not turn.onset_told for turn in found.truth)
    assert [note for note in found.notes if "keys pressed in the lab" in note]

    assert first.stopped_s is not None
    rec.label(first.stopped_s + 0.01, "not finished")
    joined = one(path).truth or []
    assert len(joined) == max(1, count - 2)
    assert joined[0].start_ms == found.truth[0].start_ms
    assert joined[0].end_ms > found.truth[0].end_ms

    rec.label(rec.input_clock.wall(rec.voices.user_ms[0][1]), "speech end")
    by_hand = one(path)
    assert len(by_hand.truth or []) == 1  # what is marked by hand is all there is
    assert not [note for note in by_hand.notes if "keys" in note]


def test_where_nobody_spoke_all_turns_are_false_starts(tmp_path: Path) -> None:
    path = tmp_path / "written_before"
    shutil.copytree(DATA / "written_before", path)
    rec = rt.load(path)
    for heard in rec.conversation.speech:
        assert heard.started_s is not None
        rec.label(heard.started_s + 0.001, "not me")
    assert one(path).truth == []
    row = rt.sweep(path, threshold=0.5, silence_duration_ms=500).table.iloc[0]
    assert row["false_starts"] == row["turns"] > 0


def test_a_recording_without_its_audio(tmp_path: Path) -> None:
    path = tmp_path / "recordings" / "one"
    shutil.copytree(DATA / "written_before", path)
    (path / "input.wav").unlink()

    for source in (path, path.parent, rt.load(path)):
        with pytest.raises(rt.RecordingError, match=r"^one holds no audio of the user"):
            one(source)


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(DATA / "written_before", tmp_path / name)

    found = swept_sources(tmp_path, None, 24_000, None)

    assert [piece.name for piece in found] == ["a", "b"]
    assert [piece.name for piece in swept_sources(rt.Recordings(tmp_path), None, 24_000, None)] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("bad", [[(0.0, 9.0)], [(-1.0, 0.5)], [(0.1, 0.5), (0.4, 0.9)]])
def test_labels_that_can_not_be_of_this_audio(bad: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match=r"cards_001\.wav"):
        one(CARDS, bad)
