from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_nb.protocol.records import Item, Response, Speech


def test_speech_with_and_without_padding() -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}
    speech = Speech("u", 700, 2_224, detection, detection)
    assert (speech.onset_ms, speech.offset_ms) == (1_000, 2_000)
    assert Speech("u", 700, None, detection).offset_ms is None
    assert Speech("u", 700, 900, detection, detection).onset_ms is None  # it would be after the end
    assert Speech("u", 700, 900, detection, detection).offset_ms is None


@pytest.mark.parametrize("floor_ms", [0, 700])
def test_speech_whose_padding_was_cut_off_begins_anywhere_in_it(floor_ms: float) -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}
    speech = Speech("u", floor_ms, 2_224, detection, detection, floor_ms)
    assert (speech.onset_ms, speech.offset_ms) == (None, 2_000)
    assert Speech("u", floor_ms + 1, 2_224, detection, detection, floor_ms).onset_ms is not None


@pytest.mark.parametrize(
    "detection",
    [
        None,
        {},
        {"prefix_padding_ms": 300, "silence_duration_ms": 200},
        {"type": "server_vad"},
        {"type": "server_vad", "prefix_padding_ms": "300", "silence_duration_ms": True},
        {"type": "server_vad", "prefix_padding_ms": -1, "silence_duration_ms": math.nan},
        {"type": "semantic_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200},
        {"type": "azure_semantic_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200},
    ],
)
def test_windows_that_are_unknown_are_not_none(detection: dict[str, Any] | None) -> None:
    speech = Speech("u", 700, 2_224, detection, detection)
    assert (speech.onset_ms, speech.offset_ms) == (None, None)


@pytest.mark.parametrize(
    ("truncated_ms", "heard"),
    [(None, "one two three"), (1_000, "one two three"), (990, "one two"), (550, "one two"),
     (300, "one"), (100, ""), (0, ""), (-5, "")],
)  # fmt: skip
def test_heard_text_of_a_whole_answer_is_its_share_in_whole_words(
    truncated_ms: int | None, heard: str
) -> None:
    """Of eleven letters, three are over after 273 ms, six after 545 ms."""
    item = Item("a", parts={0: "one two three"}, audio_ms=1_000.0, truncated_ms=truncated_ms)
    item.status = "completed"
    assert item.heard_text == heard
    assert item.interrupted == (truncated_ms is not None)


def test_words_whose_audio_never_came_were_not_heard() -> None:
    """A second of audio holds some 17 letters, however much text is there."""
    item = Item("a", parts={0: " ".join(["word"] * 50)}, audio_ms=1_000.0, truncated_ms=1_000)
    assert len(item.heard_text.split()) in (4, 5)
    assert item.heard_source(1_000) == "default pace"
    item.status = "completed"
    assert len(item.heard_text.split()) == 50
    assert item.heard_source(1_000) == "whole"
    assert item.heard_source(500) == "length"


@pytest.mark.parametrize(
    ("played_ms", "stopped_s", "dropped"),
    [(None, None, False), (400.0, None, False), (400.0, 3.0, True), (960.0, 3.0, False),
     (math.nan, 3.0, False), (None, 3.0, False)],
)  # fmt: skip
def test_playback_is_dropped_where_it_is_known_to_have_stopped_early(
    played_ms: float | None, stopped_s: float | None, dropped: bool
) -> None:
    item = Item("a", audio_ms=1_000.0, played_ms=played_ms, stopped_s=stopped_s)
    assert (item.playback_dropped, item.cut_short, item.interrupted) == (dropped, dropped, False)
    item.truncated_ms = 300
    assert (item.cut_short, item.remembered_ms) == (True, 300)


@pytest.mark.parametrize(
    ("status", "reason", "interrupted"),
    [("cancelled", "turn_detected", True), ("cancelled", "client_cancelled", False),
     ("completed", None, False)],
)  # fmt: skip
def test_a_response_is_interrupted_by_the_user(
    status: str, reason: str | None, interrupted: bool
) -> None:
    response = Response("r", status, reason)
    assert (response.interrupted, response.active) == (interrupted, False)
