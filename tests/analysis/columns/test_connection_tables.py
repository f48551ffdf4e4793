"""The columns of the table of lost connections."""

from __future__ import annotations

from realtime_nb.analysis.columns.connection_tables import RECONNECTIONS


def test_what_is_lost_is_told_with_its_unit() -> None:
    assert RECONNECTIONS["audio_lost_ms"].unit == RECONNECTIONS["speech_lost_ms"].unit == "ms"
    assert RECONNECTIONS["gap_s"].unit == "s"


def test_only_what_can_be_unknown_says_when() -> None:
    assert RECONNECTIONS["speech_lost_ms"].missing and RECONNECTIONS["gap_s"].missing
    assert not RECONNECTIONS["lost_s"].missing and not RECONNECTIONS["audio_lost_ms"].missing
