from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.emulation import emulated_spans, tells_ends
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans

SERVER: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 64,
    "silence_duration_ms": 96,
}
SEMANTIC = {"type": "semantic_vad", "eagerness": "high"}


@given(st.lists(st.sampled_from([0.0, 0.4, 0.9]), max_size=60))
def test_the_settings_tell_all_of_server_vad(probabilities: list[float]) -> None:
    settings = TurnSettings(0.5, 64, 96)
    wanted = [
        (span.audio_start_ms, -1 if span.cut else span.audio_end_ms)
        for span in find_speech_spans(probabilities, settings)
    ]
    found = emulated_spans(probabilities, SERVER)
    assert [(start, -1 if math.isnan(end) else end) for start, end in found] == wanted
    assert str(emulated_spans(probabilities, SERVER, [(0, 64)])) == str(found)


def test_a_semantic_turn_ends_where_the_server_ends_it() -> None:
    words = [0.0] * 20 + [1.0] * 5 + [0.0] * 10 + [1.0] * 5 + [0.0] * 10
    one = emulated_spans(words, SEMANTIC)
    assert [start for start, _ in one] == [20 * 32 - 300]
    # Ended after 7 frames of silence, the second words begin another turn, padded back to there.
    two = emulated_spans(words, SEMANTIC, [(340, 32 * 32), (1_024, math.nan)])
    assert [start for start, _ in two] == [340, 1_024]
    assert all(math.isnan(end) for _, end in (*one, *two))
    assert (tells_ends(SERVER), tells_ends(SEMANTIC)) == (True, False)


def test_an_end_between_turns_ends_nothing() -> None:
    words = [0.0] * 20 + [1.0] * 5 + [0.0] * 80
    assert [s for s, _ in emulated_spans(words, SEMANTIC, [(0, 32), (100, 3_000)])] == [340]
