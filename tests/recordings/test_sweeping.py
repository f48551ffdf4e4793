from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.analysis.columns.frames import records
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.turn_model import SpokenAudio, turn_model
from realtime_nb.audio.vad import find_speech
from realtime_nb.protocol.semantic_turns import find_semantic_spans, semantic_settings
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.recordings.sweeping import Sweep
from tests.paths import DATA

CARDS = DATA / "cards_001.wav"
"""A word from about 0.22 to 1 s, by the waveform."""
TRUTH = [(0.22, 1.0)]


@pytest.fixture(scope="module")
def words() -> Sweep:
    """Two words with half a second between them, labelled as one turn, then silence."""
    return rt.sweep(
        two_words(),
        threshold=[0.5, 0.7],
        silence_duration_ms=[200, 500, 900],
        labels=[(0.22, 2.6)],
    )


def two_words() -> np.ndarray[Any, Any]:
    word, rest = load_audio(CARDS), np.zeros(12_000, np.float32)
    return np.concatenate([word, rest, word, rest, rest, rest])


def test_the_turns_are_those_of_the_local_server() -> None:
    sound = two_words()
    for row in records(rt.sweep(sound, threshold=[0.3, 0.6], silence_duration_ms=[96, 800]).table):
        settings = TurnSettings(row["threshold"], 300, int(row["silence_duration_ms"]))
        spans = find_speech(sound, settings)
        assert row["turns"] == len(spans)
        sent_ms = sum(span.audio_end_ms - span.audio_start_ms for span in spans)
        assert row["audio_sent_s"] == pytest.approx(sent_ms / 1000)


def test_a_short_silence_splits_and_a_long_one_waits(words: Sweep) -> None:
    rows = {(row["threshold"], row["silence_duration_ms"]): row for row in records(words.table)}

    assert [rows[0.5, ms]["split_turns"] for ms in (200, 500, 900)] == [1, 1, 0]
    waits = [rows[0.5, ms]["endpoint_wait_p50_ms"] for ms in (200, 500, 900)]
    assert waits == [waits[0], waits[0] + 512 - 224, waits[0] + 928 - 224]  # in whole frames
    assert rows[0.5, 200]["mark"] == "server default"
    assert rows[0.5, 500]["mark"] == "default"


def test_the_best_can_be_used_as_it_is(words: Sweep) -> None:
    best = words.best(max_split=0)

    assert best.row["silence_duration_ms"] == 900
    assert "the defaults: threshold 0.5, silence 500 ms: splits 1 of 1" in best.evidence
    assert words.best().row["silence_duration_ms"] == 200
    with pytest.raises(rt.ConfigurationError, match="max_split is 5"):
        words.best(max_split=5)


def test_turns_are_explained(words: Sweep) -> None:
    assert words.explain(1).startswith("Turn 1 (threshold 0.5, silence 500 ms): cut off, first ")
    told = words.explain(1, rt.ServerVAD(silence_duration_ms=900))
    assert "would have split it at a silence of" in told
    for turn in (0, 2, -1, "1", True):
        with pytest.raises(rt.ConfigurationError, match="there are 1 labelled turn"):
            words.explain(turn)  # type: ignore[arg-type]
    with pytest.raises(rt.ConfigurationError, match="was not tried"):
        words.explain(1, rt.ServerVAD(threshold=0.123))
    with pytest.raises(rt.ConfigurationError, match="was not tried"):
        words.explain(1, engine="energy")


def test_without_labels_what_can_be_known_is() -> None:
    found = rt.sweep(two_words(), silence_duration_ms=[200, 900])

    assert found.table.split_share.isna().all()
    assert found.table.turns.tolist() == [2, 1, 2]
    assert found.table.wait_source.tolist() == ["offline_vad"] * 3
    assert "no labels" in repr(found)
    assert found.explain(2, rt.ServerVAD(silence_duration_ms=200)).startswith("Turn 2 ")
    with pytest.raises(rt.ConfigurationError, match="give labels="):
        found.best()


def test_the_table_tells_what_it_is_and_is_a_copy(words: Sweep) -> None:
    table = words.table
    table["turns"] = 0

    assert words.table.turns.tolist() != [0] * 6
    assert "cut off" in table.attrs["columns"]["split_turns"]["meaning"]


def test_it_is_shown_with_what_it_can_not_tell(words: Sweep) -> None:
    for shown in (repr(words), words._repr_html_()):
        assert "open loop" in shown
        assert "1 of 1 (21–100 %)" in shown
        assert "server default" in shown
        assert "gpt-realtime" in shown


def test_a_large_grid_is_not_shown_whole() -> None:
    found = rt.sweep(CARDS, threshold=np.linspace(0.1, 0.9, 50), silence_duration_ms=[100, 200])

    assert "… and 60 settings more: see .table" in repr(found)
    assert len(repr(found).splitlines()) < 50
    assert len(found.table) == 102


def test_a_name_that_looks_like_html_is_text(tmp_path: Path) -> None:
    shutil.copy(CARDS, tmp_path / "<b>.wav")

    assert "<b>" not in rt.sweep(tmp_path / "<b>.wav")._repr_html_()


def test_recordings_are_counted_together_and_apart() -> None:
    found = rt.sweep([CARDS, DATA / "cards_002.wav"], labels=[TRUTH, [(0.28, 1.76)]], threshold=0.5)

    assert found.table.labelled_turns[0] == 2
    assert found.by_recording.recording.unique().tolist() == ["cards_001.wav", "cards_002.wav"]
    assert found.by_recording.labelled_turns.tolist() == [1] * len(found.by_recording)
    assert found.explain(2).startswith("Turn 1 of cards_002.wav")


def test_engines_beside_each_other() -> None:
    found = rt.sweep(CARDS, threshold=0.5, engine=["silero", "energy"], labels=TRUTH)

    assert set(found.table.engine) == {"silero", "energy"}
    assert "another one of the next" in repr(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "no-such"}, "engine.*'no-such'.*silero"),
        ({"threshold": 1.5}, "threshold is 1.5; give a number from 0 to 1"),
        ({"silence_duration_ms": -1}, "silence_duration_ms is -1; give a number from 0 to 60,000"),
        ({"prefix_padding_ms": 1e9}, "prefix_padding_ms is 1000000000"),
        ({"price_model": "unheard-of"}, "price_model is 'unheard-of'"),
        ({"labels": [(0.0, 99.0)]}, "runs past the end"),
    ],
)
def test_what_can_not_be_meant(options: Any, words: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=words):
        rt.sweep(CARDS, **options)


def test_silence_has_no_turns_and_says_why() -> None:
    found = rt.sweep(np.zeros(48_000, np.float32), threshold=[0.0, 0.5], labels=[(0.5, 1.0)])

    assert found.table.turns.tolist()[1] == 0
    assert "digital silence" in repr(found)
    assert "missed: the speech probability reaches 0.0" in found.explain(1)


def test_nothing_is_changed_by_cutting_less_than_a_frame() -> None:
    assert rt.sweep(np.zeros(100, np.float32)).table.turns.tolist()[0] == 0


def test_the_settings_in_use_take_the_turns_that_the_server_took() -> None:
    rec = rt.load(DATA / "written_before")

    found = rt.sweep(rec)

    (used,) = [row for row in records(found.table) if "in use" in (row["mark"] or "")]
    assert used["turns"] == len(rec.speech)


def test_semantic_settings_have_a_row_beside_the_others(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pause = np.zeros(14_400, np.float32)
    clips = [load_audio(DATA / f"cards_00{number}.wav") for number in (1, 2, 3)]
    samples = np.concatenate([part for clip in clips for part in (clip, pause)])
    labels = [(0.1, (len(samples) - len(pause)) / 24_000)]
    high = rt.SemanticVAD(eagerness="high")
    found = rt.sweep(samples, silence_duration_ms=200, settings=[high], labels=labels)
    model = turn_model()
    assert model is not None
    spans, decisions = find_semantic_spans(
        speech_probabilities(samples).tolist(),
        semantic_settings("high"),
        SpokenAudio(samples, model).completeness,
    )
    row = found.table.iloc[1]
    assert (row.eagerness, row.turns) == ("high", len(spans))
    assert len(decisions) >= 2
    assert np.isnan(row.threshold) and np.isnan(row.silence_duration_ms)
    assert found.table.eagerness.isna().sum() == len(found.table) - 1
    assert "semantic high" in repr(found) and "nan" not in repr(found)
    found.plot_heatmap()
    found.plot_tradeoff()
    assert found.best().detection in [one.detection for one in found.settings]
    told = found.explain(1, high)
    assert told.startswith("Turn 1 (semantic, eagerness high): ")
    said = [f"{one.probability:.2f}" for one in decisions]
    assert said[0] in told
    unlabelled = rt.sweep(samples, silence_duration_ms=200, settings=[high])
    last = unlabelled.explain(len(spans), high)
    assert said[-1] in last
    assert "and 0.35 ends it" in last


def test_without_the_turn_model_semantic_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_nb.recordings.sweeping.turn_model", lambda: None)
    with pytest.raises(rt.ConfigurationError, match=r"realtime_nb\[local\]"):
        rt.sweep(DATA / "cards_001.wav", settings=[rt.SemanticVAD()])
