"""The recordings that come with the package are what they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.recordings.samples import SAMPLE_RECORDINGS, pack, samples
from tests.paths import ROOT

PACKED = ROOT / "realtime_nb" / "samples" / "recordings"


def test_all_of_them_are_there_whole_and_small() -> None:
    recordings = samples()
    assert [path.name for path in recordings.paths] == list(SAMPLE_RECORDINGS)
    for recording in recordings:
        assert recording.problems == []
        assert recording.complete
        assert len(recording.turns) >= 2 or recording.path.name == "parallel_tools"
    assert recordings.failures == {}
    assert sum(path.stat().st_size for path in PACKED.rglob("*.*")) < 4_000_000


def test_their_sound_is_what_was_recorded() -> None:
    recording = samples("interrupted")
    for name in ("input", "received", "output"):
        packed, rate = soundfile.read(PACKED / "interrupted" / f"{name}.flac", dtype="int16")
        assert rate == 24_000
        unpacked = np.round(getattr(recording, name) * 32_768).astype(np.int16)
        np.testing.assert_array_equal(unpacked, packed)


def test_one_is_interrupted() -> None:
    turns = samples("interrupted").turns
    assert list(turns["interrupted"]) == [True, False]
    heard, said = turns["heard_text"][0], turns["agent_text"][0]
    assert said.startswith(heard) and len(heard) < len(said)


def test_one_has_functions_side_by_side_of_which_one_is_slow_and_one_fails() -> None:
    calls = samples("parallel_tools").calls
    assert list(calls["outcome"]) == ["ok", "ok", "error"]
    assert calls["run_started_s"].max() < calls["run_ended_s"].min() + 0.1
    assert calls["run_ms"].max() > 3_000


def test_one_is_cut_short_by_its_setting_and_a_longer_silence_would_have_helped() -> None:
    recording = samples("cut_short")
    tried = rt.sweep(recording, silence_duration_ms=[300, 900]).table
    tried = tried.set_index("silence_duration_ms")
    assert tried["mark"][300] == "in use"
    assert set(tried["labelled_turns"]) == {3}
    assert tried["split_turns"][300] == 3
    assert tried["split_turns"][900] == 1


def test_each_hand_that_was_cut_short_is_found_by_the_rules() -> None:
    """The first goes on at once, while the server's word on its end is still on its way."""
    recording = samples("cut_short")
    found = recording.findings().table.query("id == 'premature-cut'")

    assert list(found["turn"]) == [1, 3, 5]  # each hand is two turns, as the one who read it knows
    assert (found["start_s"] < found["end_s"]).all()


def test_one_is_lost_and_comes_back_and_the_agent_remembers() -> None:
    recording = samples("lost_connection")
    assert list(recording.reconnections["outcome"]) == ["reconnected"]
    assert recording.conversation.transcript()[-1] == ("assistant", "You are Ada.")


def test_copies_stay_where_they_are_wanted_with_their_marks(tmp_path: Path) -> None:
    mine = samples("interrupted", folder=tmp_path / "mine")
    mine.label(1.0, "here")
    assert list(samples("interrupted", folder=tmp_path / "mine").labels["text"]) == ["here"]
    assert len(samples("interrupted").labels) == 0
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["interrupted"]


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(rt.ConfigurationError, match=r"'interupted'.*interrupted, parallel_tools"):
        samples("interupted")


def test_what_is_packed_comes_out_as_it_was(tmp_path: Path) -> None:
    original = samples("interrupted").path
    pack(original, tmp_path / "packed")
    for path in original.glob("*.wav"):
        one, _ = soundfile.read(path, dtype="int16")
        other, _ = soundfile.read(tmp_path / "packed" / f"{path.stem}.flac", dtype="int16")
        np.testing.assert_array_equal(one, other)
    for path in original.glob("*.json*"):
        assert (tmp_path / "packed" / path.name).read_bytes() == path.read_bytes()
