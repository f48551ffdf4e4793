from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import StepPatch

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.vad import find_speech
from realtime_nb.plots.vad import plot_vad
from realtime_nb.protocol.turns import TurnSettings
from tests.paths import DATA
from tests.plots import pictures

CARDS = DATA / "cards_001.wav"


def three_cards() -> np.ndarray:
    """Three clips, half a second of silence before each and a second at the end."""
    clips = [load_audio(DATA / f"cards_00{number}.wav") for number in (1, 2, 3)]
    pause = np.zeros(12_000, np.float32)
    return np.concatenate([part for clip in clips for part in (pause, clip)] + [pause, pause])


def bands(ax: Axes) -> dict[str, list[tuple[int, int]]]:
    """From when to when each kind of band is, in ms."""
    return {
        str(part.get_label()): [
            (round(1000 * x.min()), round(1000 * x.max()))
            for x in (np.asarray(path.vertices)[:, 0] for path in part.get_paths())
        ]
        for part in ax.collections
        if isinstance(part, PolyCollection) and not str(part.get_label()).startswith("_")
    }


def curve(ax: Axes) -> Any:
    """The last step curve: its values, and the edges of its steps."""
    return [part for part in ax.patches if isinstance(part, StepPatch)][-1].get_data()


def marks(ax: Axes) -> dict[str, list[int]]:
    """Where the events are marked, in ms."""
    return {
        str(line.get_label()): [round(1000 * x) for x in np.asarray(line.get_xdata())]
        for line in ax.lines
    }


def caption(ax: Axes) -> str:
    return " ".join(ax.texts[-1].get_text().split())


def test_marks_and_bands_are_what_the_local_server_reports() -> None:
    samples = three_cards()
    settings = TurnSettings(0.5, 100, 200)
    spans = find_speech(samples, settings)
    assert len(spans) == 3

    ax = rt.plot_vad(samples, 0.5, silence_duration_ms=200, prefix_padding_ms=100)

    assert marks(ax) == {
        "speech_started": [span.audio_start_ms for span in spans],
        "speech_stopped": [span.audio_end_ms for span in spans],
    }
    assert bands(ax) == {
        "padding": [(span.audio_start_ms, span.onset_ms) for span in spans],
        "speech": [(span.onset_ms, span.offset_ms) for span in spans],
        "closing silence": [(span.offset_ms, span.audio_end_ms) for span in spans],
    }
    assert caption(ax) == "3 turns at threshold 0.5, silence 200 ms, padding 100 ms."


def test_the_curve_is_the_probability_of_each_frame_and_the_lines_are_the_thresholds() -> None:
    samples = load_audio(CARDS)
    ax = plot_vad(samples, threshold=0.7)
    values, edges, _ = curve(ax)
    assert edges[:3] == pytest.approx([0, 0.032, 0.064])
    sent = samples_from_pcm(pcm_from_samples(samples))
    assert values.tolist() == speech_probabilities(sent).tolist()
    levels = {
        str(part.get_label()): {point[1] for line in part.get_segments() for point in line}
        for part in ax.collections
        if isinstance(part, LineCollection) and not str(part.get_label()).startswith("_")
    }
    assert levels["threshold"] == {0.7}
    assert sorted(levels["silence below"]) == pytest.approx([0.55])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0", "1", "0.7", "sound"]


def test_an_open_turn_has_no_stop() -> None:
    ax = plot_vad(CARDS)
    assert list(marks(ax)) == ["speech_started"]
    assert "The last turn is open: the sound ends before its closing silence" in caption(ax)


def test_without_speech_it_says_how_near_it_came(tmp_path: Path) -> None:
    hiss = 0.05 * np.random.default_rng(3).standard_normal(48_000)
    ax = plot_vad(hiss)
    assert marks(ax) == {} and bands(ax) == {}
    assert "0 turns" in caption(ax) and "The highest probability is 0.0" in caption(ax)
    soundfile.write(tmp_path / "silent.wav", np.zeros(24_000), 24_000)
    assert "It is digital silence" in caption(plot_vad(tmp_path / "silent.wav"))
    assert "shorter than a frame" in caption(plot_vad(np.zeros(100)))


@pytest.mark.parametrize("sample_rate", [8_000, 44_100])
def test_one_turn_whatever_the_rate_and_the_channels(tmp_path: Path, sample_rate: int) -> None:
    speech = load_audio(CARDS, sample_rate)
    quiet = np.zeros(sample_rate // 2, np.float32)
    samples = np.concatenate([quiet, speech, quiet, quiet])
    soundfile.write(tmp_path / "x.wav", np.stack([samples, samples], axis=1), sample_rate)
    (start,) = marks(plot_vad(samples, sample_rate=sample_rate))["speech_started"]
    for other in (
        plot_vad(tmp_path / "x.wav"),
        plot_vad((samples * 32_767).astype(np.int16), sample_rate=sample_rate),
    ):
        assert abs(marks(other)["speech_started"][0] - start) <= 32
    assert 350 <= start + 300 - 32 * 4 <= 750  # speech begins some 200 ms after half a second


def test_of_a_recording_it_is_what_the_user_said() -> None:
    path = DATA / "written_before"
    rec = rt.load(path)
    spans = find_speech(rec.input, TurnSettings(silence_duration_ms=300))
    for source in (rec, str(path)):
        starts = marks(plot_vad(source, silence_duration_ms=300))["speech_started"]
        assert starts == [span.audio_start_ms for span in spans]


def test_another_engine_is_named() -> None:
    assert plot_vad(CARDS, engine="energy").get_ylabel() == "probability (energy)"
    assert plot_vad(CARDS, engine=SileroVAD()).get_ylabel() == "probability (SileroVAD)"


def test_long_sounds_are_drawn_without_a_line_for_each_turn() -> None:
    beep = np.tile(np.r_[np.full(800 * 24, 0.5), np.zeros(1_200 * 24)], 200)
    ax = plot_vad(beep, engine="energy")
    assert len(marks(ax)["speech_started"]) == 200
    lines = [part for part in ax.collections if isinstance(part, LineCollection)]
    assert [str(part.get_label()) for part in lines] == ["threshold", "silence below"]
    values, *_ = curve(ax)
    assert len(values) < 2_000 and values.min() >= 0 and values.max() <= 1


def test_given_axes_are_drawn_into() -> None:
    _, (left, right) = plt.subplots(1, 2)
    assert plot_vad(CARDS, ax=right) is right
    assert not left.collections


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (CARDS, {"threshold": 1.5}, rt.ConfigurationError, "threshold is 1.5; give a number from"),
        (CARDS, {"threshold": "high"}, rt.ConfigurationError, "threshold is 'high'; give a number"),
        (CARDS, {"silence_duration_ms": -1}, rt.ConfigurationError, "silence_duration_ms is -1"),
        (CARDS, {"prefix_padding_ms": 1e9}, rt.ConfigurationError, "from 0 to 60000"),
        (CARDS, {"engine": "ears"}, rt.ConfigurationError, "ears"),
        (CARDS, {"channel": 7}, rt.ConfigurationError, "channel"),
        ("none.wav", {}, rt.AudioError, "none.wav"),
        (DATA, {}, rt.AudioError, "folder|directory"),
        (Path(__file__), {}, rt.AudioError, "not audio|no audio|can't be read"),
        ([], {}, rt.AudioError, "source holds no samples"),
        (np.zeros((2, 5)), {}, rt.AudioError, r"shape \(2, 5\); give one channel"),
        ([0.0, np.nan], {}, rt.AudioError, "holds samples that are not finite numbers"),
        ([0.0, 1_200.0], {}, rt.AudioError, "loudest sample of source is 1200; give"),
        (None, {}, rt.ConfigurationError, "NoneType is no sound; give a path, a recording"),
        ([0.1] * 900, {"sample_rate": 0}, rt.ConfigurationError, "sample_rate is 0; give samples"),
    ],
    ids=str,
)
def test_what_can_not_be_drawn_is_refused(
    source: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plot_vad(source, **options)


@pytest.mark.parametrize("page", pictures.STYLES)
def test_it_looks_as_it_was_looked_at(page: str, tmp_path: Path) -> None:
    samples = three_cards()
    pictures.check(lambda ax: plot_vad(samples, ax=ax), "vad", page, tmp_path)
