"""The parts of a latency are what was injected, whatever a server makes of the speech."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_nb.analysis import tables
from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.voices import Voices
from tests.analysis.table_rows import missing, row
from tests.scripted_session import SERVER_VAD, LiveSession, session

BUFFER = "input_audio_buffer"
SILENCE = np.zeros(24_000, np.float32)


@dataclass(frozen=True)
class Detected:
    """What a server does with the speech from ``start_ms`` to ``spoken_ms``.

    Attributes:
        padding_ms, window_ms: its settings.
        floor_ms: where the turn before ended; 0: there was none.
        before_ms, change_ms: the window until the setting was changed, and how much of the speech
            and the silence after it was over by then; None: it never was.
    """

    start_ms: int
    spoken_ms: int
    padding_ms: int
    window_ms: int
    floor_ms: int = 0
    before_ms: int = 0
    change_ms: int | None = None

    def settings(self, window_ms: int) -> dict[str, Any]:
        windows = {"prefix_padding_ms": self.padding_ms, "silence_duration_ms": window_ms}
        effective = session()
        effective["audio"]["input"]["turn_detection"] = {**SERVER_VAD, **windows}
        return effective

    @property
    def audio_start_ms(self) -> int:
        return max(self.floor_ms, self.start_ms - self.padding_ms)

    def audio_end_ms(self, changed_ms: int | None) -> int:
        """It ends where the silence is as long as the window, or was when that was changed."""
        end_ms = self.spoken_ms + -(-self.window_ms // 32) * 32
        return end_ms if changed_ms is None else max(end_ms, changed_ms)


@st.composite
def detections(draw: st.DrawFn) -> Detected:
    start_ms, length_ms = draw(st.integers(0, 3_000)), draw(st.integers(33, 4_000))
    windows = st.integers(0, 1_500)
    change_ms = draw(st.none() | st.integers(0, length_ms + 500))
    window_ms, before_ms = draw(windows), draw(windows)
    return Detected(
        start_ms=start_ms,
        spoken_ms=start_ms + length_ms,
        padding_ms=draw(st.integers(0, 500)),
        window_ms=window_ms,
        floor_ms=draw(st.just(0) | st.integers(0, start_ms)),
        before_ms=before_ms,
        change_ms=None if before_ms == window_ms else change_ms,
    )


ms_delays = st.integers(0, 2_000)


@settings(deadline=None)
@example(
    detected=Detected(0, 333, 0, 0),
    chunks_ms=[111],
    on_the_way_ms=[147, 0, 0],
    network_ms=0,
    known=False,
    lost=[False],
    listened=True,
    waits_ms=(0, 0, 0),
)
@given(
    detected=detections(),
    chunks_ms=st.lists(st.integers(10, 200), min_size=1, max_size=10),
    on_the_way_ms=st.lists(st.integers(0, 300), min_size=1, max_size=10),
    network_ms=st.integers(0, 300),
    known=st.booleans(),
    lost=st.lists(st.booleans(), min_size=1, max_size=7),
    listened=st.booleans(),
    waits_ms=st.tuples(ms_delays, ms_delays, ms_delays),
)
def test_parts_are_what_was_injected_and_add_up_to_what_was_heard(
    detected: Detected,
    chunks_ms: list[int],
    on_the_way_ms: list[int],
    network_ms: int,
    known: bool,
    lost: list[bool],
    listened: bool,
    waits_ms: tuple[int, int, int],
) -> None:
    """Sample ``n`` is captured at ``1 + n / rate`` s; its chunk waits on its way to the socket.

    Some appends are lost from the recording. A figure is what was injected, or unknown.
    """
    live = LiveSession()
    before_ms = detected.window_ms if detected.change_ms is None else detected.before_ms
    live.received(0.0, "session.created", session=detected.settings(before_ms))
    if detected.floor_ms:
        live.received(0.0, f"{BUFFER}.speech_started", audio_start_ms=0, item_id="v")
        end_ms = detected.floor_ms
        live.received(0.0, f"{BUFFER}.speech_stopped", audio_end_ms=end_ms, item_id="v")
    start_ms, spoken_ms = detected.start_ms, detected.spoken_ms
    started = False
    changed_ms: int | None = None
    total_ms = number = 0
    sent_s = spoken_sent_s = 0.0
    spoken_total_ms, end_is_lost = 0, False
    while total_ms < detected.audio_end_ms(changed_ms) or total_ms <= spoken_ms:
        if not started and total_ms >= start_ms:
            started = True
            at_ms = detected.audio_start_ms
            live.received(sent_s, f"{BUFFER}.speech_started", audio_start_ms=at_ms, item_id="u")
        due_ms = math.inf if detected.change_ms is None else start_ms + detected.change_ms
        if started and changed_ms is None and total_ms >= due_ms:
            changed_ms = total_ms
            changed = detected.settings(detected.window_ms)
            live.received(sent_s, "session.updated", session=changed)
        length_ms = chunks_ms[number % len(chunks_ms)]
        delay_ms = on_the_way_ms[number % len(on_the_way_ms)]
        if not known:  # a chunk and its delay are less than what counts as uneven delivery
            delay_ms %= 50
        captured_s = 1 + (total_ms + length_ms) / 1000
        sent_s = max(sent_s, captured_s + delay_ms / 1000)
        is_lost = lost[number % len(lost)]
        if total_ms < spoken_ms <= total_ms + length_ms:
            spoken_sent_s, spoken_total_ms, end_is_lost = sent_s, total_ms + length_ms, is_lost
        if not is_lost:
            reference = {"file": "input.wav", "start": total_ms * 24, "samples": length_ms * 24}
            at_s = captured_s if known else None
            live.sent(sent_s, f"{BUFFER}.append", captured_s=at_s, audio=reference)
        total_ms, number = total_ms + length_ms, number + 1
    if not started:
        at_ms = detected.audio_start_ms
        live.received(sent_s, f"{BUFFER}.speech_started", audio_start_ms=at_ms, item_id="u")
    changed_now = detected.change_ms is None or changed_ms is not None
    window_ms = detected.window_ms if changed_now else detected.before_ms
    stop_s = sent_s + network_ms / 1000
    created_s, audio_s, played_s = stop_s + np.cumsum(waits_ms) / 1000
    end_ms = replace(detected, window_ms=window_ms).audio_end_ms(changed_ms)
    live.received(stop_s, f"{BUFFER}.speech_stopped", audio_end_ms=end_ms, item_id="u")
    live.user_item(stop_s, "u", "Hello.")
    live.response_begins(created_s, "r")
    live.spoken_answer(audio_s, "r", "a", "Hi.", SILENCE[:2_400])
    live.playback("a", 0.0, "started", played_s)
    voices = Voices([], [], [(start_ms, spoken_ms)]) if listened else None

    table = tables.latency(live.conversation, live.clock, voices)

    found = row(tables.speech(live.conversation, live.clock, voices), -1)
    padded = detected.audio_start_ms > detected.floor_ms
    in_force = changed_ms is None or changed_ms <= spoken_ms
    if any(lost) and changed_ms is not None:  # it may have been changed later
        in_force = in_force and str(found["offset_source"]) == "server"
    for name, truth_ms, reported in (
        ("onset", start_ms, padded),
        ("offset", spoken_ms, in_force),
    ):
        source = "server" if reported else "offline_vad" if listened else None
        if source is None:
            assert missing(found[f"{name}_source"]) and missing(found[f"{name}_ms"])
            assert f"{name}: " in found["note"]
        else:
            assert (found[f"{name}_ms"], found[f"{name}_source"]) == (truth_ms, source)
    (turn,) = records(table)
    if (missing(found["offset_source"]) and not listened) or end_is_lost:
        assert turn["latency_note"] and missing(turn["latency_ms"])
        assert missing(turn["uplink_ms"]) and missing(turn["endpoint_wait_ms"])
        return
    assert missing(turn["latency_note"])
    assert turn["speech_end_source"] == ("offline_vad" if listened else "server")
    assert turn["capture_source"] == ("device" if known else "sending")
    assert missing(turn["parts_note"]) == known
    assert sum(turn[part] for part in LATENCY_PARTS) == pytest.approx(turn["latency_ms"], abs=0.01)
    assert all(turn[part] >= -0.01 for part in LATENCY_PARTS)
    if known:
        spoken_s = 1 + spoken_ms / 1000
        assert turn["speech_end_s"] == pytest.approx(spoken_s, abs=1e-5)
    else:  # as much before the chunk was sent as it lies before the chunk's end, or less
        assert turn["uplink_ms"] <= spoken_total_ms - spoken_ms + 0.01
        spoken_s = turn["speech_end_s"]
    assert turn["latency_ms"] == pytest.approx((played_s - spoken_s) * 1000, abs=0.01)
    injected_ms = [(spoken_sent_s - spoken_s) * 1000, (stop_s - spoken_sent_s) * 1000, *waits_ms]
    assert [turn[part] for part in LATENCY_PARTS] == pytest.approx(injected_ms, abs=0.01)
