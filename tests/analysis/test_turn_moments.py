from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from realtime_nb.analysis import tables
from realtime_nb.analysis.turn_moments import LATENCY_PARTS, boundaries_of
from realtime_nb.analysis.voices import Voices
from realtime_nb.protocol.records import Speech
from tests.made_recording import MadeRecording
from tests.spoken_recording import SERVER_VAD, begun, spoken

SEMANTIC = {"type": "semantic_vad"}


def voices(*spans_ms: tuple[float, float]) -> Voices:
    return Voices([], [], list(spans_ms))


def test_a_beginning_whose_padding_was_cut_off_is_where_the_first_voice_is() -> None:
    speech = Speech("u", 1_000, 3_224, SERVER_VAD, SERVER_VAD, floor_ms=1_000)
    for heard, onset_ms, note in (
        (None, None, "onset: the padding before it was cut off"),
        (voices((300, 900), (1_064, 1_500), (1_700, 3_000)), 1_064, None),
        (voices((980, 1_500)), 1_000, None),  # a frame that began before
        (voices((500, 1_500)), None, "onset: the voice began before what was reported"),
        (voices((3_100, 3_200)), None, "onset: no voice in its audio"),  # after its end
    ):
        found = boundaries_of(speech, heard)
        assert (found.offset_ms, found.offset_source) == (3_000, "server")
        assert found.onset_source == (None if onset_ms is None else "offline_vad")
        assert onset_ms is None or found.onset_ms == onset_ms
        assert found.note == note


@pytest.mark.parametrize(
    ("detection", "why"),
    [
        (None, "the turn detection in force is unknown"),
        (SEMANTIC, "semantic_vad does not tell when speech ended"),
        ({"type": "server_vad"}, "what the server reported does not fit the silence window"),
    ],
)
def test_an_end_that_is_not_told_is_where_the_last_voice_is(
    detection: dict[str, Any] | None, why: str
) -> None:
    speech = Speech("u", 1_000, 3_224, SERVER_VAD, detection)
    unknown = boundaries_of(speech)
    assert unknown.offset_source is None and why in str(unknown.note)
    found = boundaries_of(speech, voices((1_300, 2_000), (2_100, 2_900)))
    assert (found.offset_ms, found.offset_source, found.note) == (2_900, "offline_vad", None)
    goes_on = boundaries_of(speech, voices((1_300, 4_000)))
    assert goes_on.note == "offset: the voice went on after what was reported"
    before = boundaries_of(speech, voices((1_050, 1_200)))  # before the beginning
    assert (before.onset_ms, before.offset_source) == (1_300, None)


def answered(rec: MadeRecording, t_s: float, name: str) -> None:
    rec.answer(t_s, name, 500, "Yes.")
    rec.played(f"{name}_item", 0.0, "started", t_s + 0.2)


def test_a_label_after_the_end_was_reported_leaves_no_wait_for_it() -> None:
    rec = begun()
    spoken(rec, "u", 1_000, 2_000, 3.3)  # it ended at 3 s
    rec.user(3.3, "u", "Hello.")
    answered(rec, 3.4, "r")
    marks = pd.DataFrame([(3.3366, "speech end")], columns=["t_s", "text"])

    table = tables.latency(rec.conversation, rec.input_clock, labels=marks)

    (turn,) = table.to_dict("records")
    assert turn["latency_ms"] == pytest.approx((3.6 - 3.3366) * 1000)
    assert turn["endpoint_wait_ms"] != turn["endpoint_wait_ms"]  # NaN
    assert "endpoint_wait_ms: the server's report of it came before" in turn["parts_note"]
    assert (turn["stop_source"], turn["played_source"]) == ("speech_stopped", "playback")
    assert turn["model_first_audio_ms"] == pytest.approx(100)


def test_an_answer_before_the_end_of_speech_is_no_answer_to_it() -> None:
    rec = begun()
    spoken(rec, "u", 1_000, 2_000, 2.0)
    rec.user(2.0, "u", "Hello.")
    answered(rec, 2.1, "r")
    (turn,) = rec.latency.to_dict("records")
    assert turn["latency_ms"] != turn["latency_ms"]
    assert turn["latency_note"] == "the answer was played before the end of speech"


def test_turns_of_one_id_are_not_mixed() -> None:
    """The second has the id; the first keeps what was said of it, as if it had one of its own."""
    rows = {}
    for kind, ids in (("same", ("u", "u")), ("own", ("u", "v"))):
        rec = begun()
        for at_s, one, answer in ((0.0, ids[0], f"r{ids[0]}"), (20.0, ids[1], f"r{ids[1]}")):
            start_ms = 1_000 + round(at_s * 1000)
            spoken(rec, one, start_ms, start_ms + 1_000, 3.3 + at_s)
            rec.user(3.3 + at_s, one, f"Hello {at_s}.")
            answered(rec, 3.4 + at_s, answer)
        rows[kind] = rec.latency[list(LATENCY_PARTS)]
        texts = [(row["user_item"], row["user_text"]) for row in rec.turns.to_dict("records")]
        assert texts == [
            ("u (1)" if kind == "same" else "u", "Hello 0.0."),
            (ids[1], "Hello 20.0."),
        ]
    pd.testing.assert_frame_equal(rows["same"], rows["own"])


def test_of_answers_of_one_id_at_the_same_time_nothing_is_known() -> None:
    rec = begun()
    spoken(rec, "u", 1_000, 2_000, 3.3)
    rec.user(3.3, "u", "Hello.")
    created = {"response": {"id": "r", "status": "in_progress"}}
    item = {"id": "a", "type": "message", "role": "assistant"}
    rec.got(3.4, "response.created", **created)
    rec.got(3.5, "response.output_item.added", item=item, response_id="r")
    rec.got(3.6, "response.created", **created)
    done = {"id": "r", "status": "completed", "usage": {"input_tokens": 5}}
    rec.got(3.9, "response.done", response=done)
    (turn,) = rec.latency.to_dict("records")
    assert all(turn[part] != turn[part] for part in ("latency_ms", *LATENCY_PARTS))
    assert turn["latency_note"] == "its id, or that of its answer, came a second time"
    assert rec.usage.input_tokens.isna().all()
