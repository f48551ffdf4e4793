from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime_nb.commands.bench import endpoint_speech
from realtime_nb.commands.bench.endpoint_sources import SOURCES
from realtime_nb.commands.bench.endpoint_speech import (
    CHOOSING_VOICES,
    LabelledSentence,
    labels,
    laid,
    sentences,
)
from realtime_nb.errors import AudioError
from tests.commands.bench.endpoint_scene import PAUSE_AT_MS, PAUSE_MS, lay_out


def test_a_sentence_lies_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, monkeypatch)
    one, other = sentences(np.random.default_rng(0))
    assert (one.voice, one.groups) == ("allison", ("choosing",))
    assert (other.voice, other.groups) == ("bob", ("reported", "acted"))
    (pause,) = one.pauses
    assert (pause.at_mark, other.pauses[0].at_mark) == (True, False)
    moved_ms = 300 - 100  # silence before it, less what is left out of the clip
    assert pause.start_ms == PAUSE_AT_MS + moved_ms
    assert one.voice_end_ms == 3_300 + PAUSE_MS + moved_ms
    loudness = [
        float(np.sqrt(np.mean(one.samples[round(ms * 24) :][: 24 * 100] ** 2)))
        for ms in (0, pause.start_ms + 100, one.voice_end_ms + 200, pause.start_ms - 200)
    ]
    assert loudness[:3] == pytest.approx([10 ** (-70 / 20)] * 3, rel=0.1)
    assert loudness[3] > 50 * loudness[1]
    assert len(one.samples) / 24 - one.voice_end_ms > 8_000  # the longest wait fits


def test_another_clip_of_that_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, monkeypatch)
    path = tmp_path / SOURCES["allison"].path / "said.wav"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(
        AudioError, match=r"said\.wav is not the clip .* asterisk-core-sounds-en-wav"
    ):
        list(sentences(np.random.default_rng(0)))


def test_a_sentence_of_several_clips_needs_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, monkeypatch)
    first, _ = labels()
    first["clips"]["missing.wav"] = "0" * 12
    monkeypatch.setattr(endpoint_speech, "labels", lambda: [first])
    assert list(sentences(np.random.default_rng(0))) == []


def test_labels_are_possible_and_of_known_sources() -> None:
    rows = labels()
    assert {row["source"] for row in rows} == set(SOURCES)
    for row in rows:
        (start_ms, end_ms), pauses = row["voice_ms"], row["pauses"]
        edges = [start_ms, *(ms for pause in pauses for ms in pause[:2]), end_ms]
        assert edges == sorted(edges)
        assert pauses
        assert all(end - start >= 200 for start, end, _ in pauses)
    clips = [digest for row in rows for digest in row["clips"].values()]
    assert len(clips) == len(set(clips))
    voices = {row["voice"] for row in rows}
    assert voices > CHOOSING_VOICES
    assert len(voices - CHOOSING_VOICES) >= 10


@pytest.mark.parametrize(
    ("word", "at_mark"),
    [("spades,", True), ("well...", True), ("no!'", True), ("spades", False), ("", None)],
)
def test_a_pause_is_at_a_mark_where_the_word_before_it_has_one(
    word: str, at_mark: bool | None
) -> None:
    label: LabelledSentence = {
        "source": "queen",
        "voice": "bob",
        "clips": {},
        "voice_ms": (0, 900),
        "pauses": [(300, 600, word)],
    }
    told = laid(label, np.ones(24_000, np.float32), np.random.default_rng(0))
    assert [pause.at_mark for pause in told.pauses] == [at_mark]
