"""Metrics of a session whose times are round, so that each can be worked out on paper."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.analysis.interruptions import interruptions
from realtime_nb.analysis.metrics.definitions import DEFINITIONS
from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.testing import MemoryServer, tone
from tests.analysis.metrics.made_calls import called, reasons, response, returned
from tests.made_recording import MadeRecording
from tests.spoken_recording import begun, spoken, voiced
from tests.virtual import virtual

STORY = "Once upon a time there was a " + "very " * 12 + "long story."  # 21 words


@pytest.fixture(scope="module")
def rec() -> MadeRecording:
    """A question, a booking by a function, and a story that is cut by an "okay"."""
    rec = begun()
    rec.duration_s = 30.0
    rec.got(0.25, "session.updated", session=rec.conversation.session)
    rec.got(0.3, "session.updated", session=rec.conversation.session)

    # E = 3.988 in the chunk that leaves at 4; an answer has its first audio 0.1 s after it began.
    spoken(rec, "user_1", 2_000, 2_988, stopped_s=4.3)
    rec.user(4.35, "user_1", "What is free?")
    rec.answer(4.5, "resp_1", 2_000, "All of Tuesday is free.")
    rec.played("resp_1_item", 0.0, "started", 4.8)
    rec.played("resp_1_item", 1_000.0, "underrun", 5.8)
    rec.played("resp_1_item", 2_000.0, "finished", 6.8)

    spoken(rec, "user_2", 7_000, 8_000, stopped_s=9.3)
    rec.user(9.35, "user_2", "Book ten.")
    response(rec, 9.5, "in_progress")
    called(rec, 9.7)
    response(rec, 9.8, "completed")
    rec.ran("call_1", 9.75, 10.35)
    returned(rec, 10.5, '{"ok": true}')
    rec.answer(10.6, "resp_3", 1_000, "Booked.")
    rec.played("resp_3_item", 0.0, "started", 10.9)
    rec.played("resp_3_item", 1_000.0, "finished", 11.9)

    spoken(rec, "user_3", 13_000, 14_000, stopped_s=15.3)
    rec.user(15.35, "user_3", "Tell me a story.")
    rec.answer(15.5, "resp_4", 10_000, STORY)
    rec.played("resp_4_item", 0.0, "started", 16.0)
    spoken(rec, "user_4", 16_000, 16_900, stopped_s=18.2)
    rec.played("resp_4_item", 1_300.0, "flushed", 17.3)
    where = {"item_id": "resp_4_item", "content_index": 0, "audio_end_ms": 1_500}
    rec.got(17.4, "conversation.item.truncated", **where)
    rec.user(18.3, "user_4", "Okay.")
    rec.got(19.0, "error", error={"code": "some_code", "message": "No."})

    user = ((2_000, 2_988), (7_000, 8_000), (13_000, 14_000), (16_000, 16_900))
    voiced(rec, *user, agent=((4.8, 6.8), (10.9, 11.9), (16.0, 17.3)))
    rec.input[:] = 0.001
    for start_ms, end_ms in user:
        rec.input[start_ms * 24 : end_ms * 24] = 0.1
    return rec


EXPECTED: dict[str, float] = {
    "latency_ms": 906,  # of 812 and 1000
    "uplink_ms": 6,  # of 12 and 0
    "endpoint_wait_ms": 300,
    "commit_wait_ms": 200,
    "model_first_audio_ms": 100,
    "playout_ms": 300,  # of 200 and 400
    "latency_interrupted_ms": 1_000,
    "latency_first_turn_ms": 812,
    "latency_with_calls_ms": 1_900,
    "session_created_ms": 100,
    "session_updated_ms": 150,
    "answer_ms": 200,  # of 200, 300, 200, 200
    "speaking_ms": 1_300,  # of 2000, 1000, 1300
    "transcript_ms": 500,
    "tool_decide_ms": 200,
    "tool_queue_ms": 50,
    "tool_run_ms": 600,
    "tool_send_ms": 150,
    "tool_resume_ms": 200,
    "tool_others_ms": 0,
    "silent_tool_gap_ms": 1_000,
    "tool_errors": 0,
    "tool_timeouts": 0,
    "tool_late": 0,
    "tool_orphans": 0,
    "interruptions": 1,
    "stopped_by_program": 0,
    "false_interruptions": 1,
    "false_interruptions_empty": 0,
    "false_interruptions_phantom_phrase": 0,
    "false_interruptions_short": 0,
    "false_interruptions_echo": 0,
    "false_interruptions_backchannel": 1,
    "false_interruption_share": 1,
    "late_barge_ins": 0,
    "missed_barge_ins": 0,
    "barge_in_response_ms": 300,
    "barge_in_detection_ms": 200,
    "barge_in_flush_ms": 100,
    "premature_cuts": 0,
    "agent_over_user": 0,
    "overlap_s": 0.3,  # 17.0 to 17.3
    "overlap_share": 0.01,
    "user_talk_s": 3.888,
    "agent_talk_s": 4.3,
    "talk_ratio": 4.3 / 8.188,
    "long_silences": 2,  # 11.9 to 14, 17.9 to 30
    "silence_share": 14.2 / 27,  # from 3 on
    "longest_silence_s": 12.1,
    "unheard_ms": 8_700,
    "over_remembered_ms": 200,
    "speech_rate_wpm": 150,  # of 5 words in 2 s, 1 in 1 s, 3.4 in 1.3 s: a tenth of the letters
    "phantom_turns": 0,
    "phantom_share": 0,
    "underruns": 1,
    "underrun_ms": 0,
    "input_level_dbfs": -20,
    "input_peak_dbfs": -20,
    "clipping_share": 0,
    "noise_floor_dbfs": -60,
    "snr_db": 40,
    "errors": 1,
    "errors_benign": 0,
    "errors.some_code": 1,
    **dict.fromkeys(("reconnects", "connections_lost", "gap_audio_ms", "gap_speech_ms"), 0),
}


UNPRICED = (
    "4 responses: the session does not tell the model of its responses; "
    'rec.cost(model="gpt-realtime") prices them as that one\'s; '
    "4 transcriptions: the session does not tell the model of its transcriptions"
)


def test_every_metric_by_hand(rec: MadeRecording) -> None:
    table = metrics(rec)

    assert list(table.unit) == [
        getattr(DEFINITIONS.get(name), "unit", "count") for name in table.index
    ]
    assert [name for name in table.index if name != "errors.some_code"] == list(DEFINITIONS)
    names = list(table.index)
    assert names.index("errors.some_code") == names.index("errors_benign") + 1
    assert table.value.dropna().to_dict() == pytest.approx(EXPECTED, abs=0.02)
    assert table.reason.dropna().to_dict() == {
        "latency_undisturbed_ms": "no spoken answer",
        "first_audio_ms": "the user spoke first",
        "update_to_first_audio_ms": "the user spoke first",
        "unheard_tokens": "the server reported no audio tokens of it",
        **dict.fromkeys(("context_tokens", "cached_share"), "the server reported no token counts"),
        "context_growth_tokens": "no two turns in a row have token counts",
        **dict.fromkeys(("turn_usd", "minute_usd", "talk_minute_usd"), UNPRICED),
        "input_lost_ms": "no microphone reported what it lost",
        "barge_in_success_share": "nobody interrupted the agent",
        "reconnect_gap_ms": "the connection was never lost",
    }
    assert table.source.notna().equals(table.value.notna())


def test_distributions(rec: MadeRecording) -> None:
    latency = metrics(rec).loc["latency_ms"]

    assert (latency.unit, latency.n, latency.source) == ("ms", 2, "offline_vad")
    quantiles = [latency[name] for name in ("p50", "p90", "p95", "min", "max")]
    assert quantiles == pytest.approx([906, 981.2, 990.6, 812, 1_000], abs=0.01)
    errors = metrics(rec).loc["errors"]
    assert errors.n == 0 and errors[["p50", "p90", "p95", "min", "max"]].isna().all()


def test_the_local_servers_times_are_simulated(rec: MadeRecording) -> None:
    rec.simulated = True
    sources = metrics(rec).source
    rec.simulated = False

    for name in ("playout_ms", "answer_ms", "tool_resume_ms", "transcript_ms"):
        assert sources[name] == "server, simulated"
    assert sources["latency_ms"] == "offline_vad, simulated"
    assert sources["barge_in_detection_ms"] == "server, simulated"
    assert sources["tool_run_ms"] == "client"
    assert sources["user_talk_s"] == "offline_vad"


# --- what can't be known ---


def test_a_bare_audio_file_has_no_conversation() -> None:
    rec = MadeRecording(input=np.full(24_000, 0.1, np.float32))
    voiced(rec, (0, 1_000))

    found = reasons(rec)

    known = set(DEFINITIONS) - set(found)
    levels = {"input_level_dbfs", "input_peak_dbfs", "clipping_share"}
    assert known == {"user_talk_s", "phantom_turns", *levels}
    for name in ("errors", "reconnects", "interruptions", "missed_barge_ins", "tool_late"):
        assert found[name] == "there are no events"
    assert found["latency_ms"] == "there are no such turns"
    assert found["noise_floor_dbfs"] == found["snr_db"] == "the user never pauses"
    assert found["talk_ratio"] == found["silence_share"] == "what was played is not recorded"
    assert found["premature_cuts"] == "turn detection reported no speech"
    assert found["first_audio_ms"] == "the agent did not speak"
    assert found["session_created_ms"] == "the beginning of the session was not recorded"


def test_a_log_without_audio_and_playback() -> None:
    rec = MadeRecording()
    rec.user(1.0, "user_1", "Hello.")
    rec.answer(2.0, "resp_1", 1_000, "Hi.")

    found = reasons(rec)

    unheard = ("unheard_ms", "over_remembered_ms", "underruns", "underrun_ms", "speaking_ms")
    assert {found[name] for name in unheard} == {"playback was not reported"}
    without_input = (
        *("user_talk_s", "talk_ratio", "overlap_s", "long_silences", "agent_over_user"),
        *("phantom_turns", "phantom_share", "missed_barge_ins", "barge_in_success_share"),
        *("input_level_dbfs", "input_peak_dbfs", "clipping_share", "noise_floor_dbfs", "snr_db"),
    )
    assert {found[name] for name in without_input} == {"there is no input audio"}
    assert found["agent_talk_s"] == found["speech_rate_wpm"] == "what was played is not recorded"
    assert found["latency_ms"] == "no end of speech was reported"
    assert found["latency_with_calls_ms"] == "there are no such turns"
    assert found["session_updated_ms"] == "the session was not configured"
    assert found["reconnects"] == "the beginning of the session was not recorded"
    assert found["tool_run_ms"] == found["silent_tool_gap_ms"] == "no function was called"
    assert found["false_interruption_share"] == "there were no interruptions"
    assert metrics(rec).value["errors"] == 0
    assert metrics(rec).value["commit_wait_ms"] == 1_000


def test_a_microphone_and_no_playback() -> None:
    rec = begun()
    rec.input[:24_000] = 0.1
    rec.user(9.5, "user_1", "Tell me.")
    rec.answer(10.0, "resp_1", 4_000, "A long answer.")
    voiced(rec, (0, 1_000))

    found = reasons(rec)

    assert found["missed_barge_ins"] == "playback was not reported"
    assert found["agent_over_user"] == "playback was not reported"
    assert found["first_audio_ms"] == "the user spoke first"
    assert found["snr_db"] == "there is digital silence between the words"
    assert found["speech_rate_wpm"] == "playback was not reported"
    voiced(rec)
    assert reasons(rec)["snr_db"] == reasons(rec)["input_level_dbfs"] == "no voice in the input"
    assert reasons(rec)["silence_share"] == reasons(rec)["talk_ratio"] == "nobody spoke"


def test_without_turn_detection_nothing_can_be_missed() -> None:
    rec = begun(None)
    rec.answer(10.0, "resp_1", 1_000, "Hello.")
    rec.played("resp_1_item", 0.0, "started", 10.2)
    rec.played("resp_1_item", 0.0, "flushed", 10.2)

    found = reasons(rec)

    assert found["missed_barge_ins"] == "turn detection was off"
    assert found["phantom_share"] == "no user audio was committed"
    assert found["longest_silence_s"] == "nobody spoke"
    assert found["speech_rate_wpm"] == "no message was heard for a second"
    assert metrics(rec).value["first_audio_ms"] == 10_200  # the agent spoke first


def test_an_interruption_at_an_unknown_moment() -> None:
    rec = begun({"type": "semantic_vad"})
    rec.answer(10.0, "resp_1", 4_000, "A long answer.")
    rec.played("resp_1_item", 0.0, "started", 10.2)
    rec.got(11.7, "input_audio_buffer.speech_started", audio_start_ms=10_200, item_id="user_2")
    rec.played("resp_1_item", 1_600.0, "flushed", 11.8)

    found = reasons(rec)

    assert found["barge_in_response_ms"] == "when the agent fell silent is unknown"
    assert found["barge_in_detection_ms"] == "when the user began to speak is unknown"
    assert metrics(rec).value["barge_in_flush_ms"] == pytest.approx(100)


def test_reconnections() -> None:
    rec = begun()
    rec.got(20.0, "session.created", session={})
    rec.got(30.0, "session.created", session={})

    values = metrics(rec).value

    assert values["reconnects"] == 2
    assert values["session_created_ms"] == pytest.approx(100)


def test_what_the_program_stopped_is_no_interruption() -> None:
    """Nobody speaks: there is no false interruption among none."""
    rec = begun()
    rec.answer(10.0, "resp_1", 4_000, "A long answer.")
    rec.played("resp_1_item", 0.0, "started", 10.2)
    rec.played("resp_1_item", 1_000.0, "flushed", 11.2)

    values = metrics(rec).value

    assert (values["interruptions"], values["stopped_by_program"]) == (0, 1)
    assert reasons(rec)["false_interruption_share"] == "there were no interruptions"
    assert reasons(rec)["barge_in_success_share"] == "nobody interrupted the agent"


def barged_in(rec: MadeRecording, number: int, stopped_after_s: float | None) -> None:
    """An answer of 8 s into which the user speaks after 3 s."""
    begin_s = number * 20.0
    rec.answer(begin_s, f"resp_{number}", 8_000, "A long answer.", status="cancelled")
    name = f"resp_{number}_item"
    rec.played(name, 0.0, "started", begin_s + 0.2)
    onset_ms = round((begin_s + 3.2 - 1) * 1000)
    spoken(rec, f"user_{number}", onset_ms, onset_ms + 1_500, stopped_s=begin_s + 5)
    rec.user(begin_s + 5.1, f"user_{number}", "No, something else please.")
    if stopped_after_s is not None:
        rec.played(name, 3_000.0, "flushed", begin_s + 3.2 + stopped_after_s)
    else:
        where = {"item_id": name, "content_index": 0, "audio_end_ms": 3_500}
        rec.got(begin_s + 3.9, "conversation.item.truncated", **where)


def test_a_barge_in_whose_end_is_unknown_has_not_failed() -> None:
    rec = begun()
    barged_in(rec, 0, 0.4)
    voiced(rec, (2_200, 3_700))
    assert metrics(rec).value["barge_in_success_share"] == 1
    barged_in(rec, 1, None)
    voiced(rec, (2_200, 3_700), (22_200, 23_700))

    assert metrics(rec).value["interruptions"] == 2
    assert metrics(rec).value["barge_in_success_share"] == 1  # of the one that is known

    rec = begun()
    barged_in(rec, 0, None)
    voiced(rec, (2_200, 3_700))
    assert reasons(rec)["barge_in_success_share"] == "when the agent fell silent is unknown"


def test_definitions_are_sentences() -> None:
    assert all(
        text.endswith(".") and len(text) > 10
        for text in (one.meaning for one in DEFINITIONS.values())
    )
    assert isinstance(metrics(MadeRecording()), pd.DataFrame)


# --- the whole way, on virtual time ---


@virtual
async def test_a_recorded_session_by_the_clock(tmp_path: Path) -> None:
    """Chunks of 40 ms and frames of 32; nothing else takes any time."""
    async with (
        MemoryServer() as server,
        rt.connect(
            transport=server.transport,
            record=tmp_path,
            turn_detection=rt.ServerVAD(silence_duration_ms=200),
        ) as session,
    ):
        await session.speak(tone(1_000))  # heard up to 1024, sent at 1040; 224 more end at 1280
        await session.wait_for("response.output_audio.delta")
        await asyncio.sleep(0.62)
        await session.speak(tone(1_000))  # heard from 1856 on, once the chunk of 1920 is there
        assert await session.settled()
    assert session.recording is not None
    rec = rt.load(session.recording)

    notes = rec.latency.latency_note.tolist()
    assert notes == ["no voice in its audio"] * 2  # which is a tone
    assert rec.turns.server_offset_ms.tolist() == [1_024, 2_880]
    rec.label(1.0, "speech end")
    rec.label(2.88, "speech end")
    first, second = rec.latency.round(3).to_dict("records")
    (cut,) = interruptions(rec).round(3).to_dict("records")

    assert [first["latency_ms"], *(first[part] for part in LATENCY_PARTS)] == [
        *(280, 0, 280, 0, 0, 0)
    ]
    assert [second["latency_ms"], *(second[part] for part in LATENCY_PARTS)] == [
        *(240, 0, 240, 0, 0, 0)
    ]
    assert (cut["onset_s"], cut["detected_s"], cut["stopped_s"]) == (1.856, 1.92, 1.92)
    assert cut["cause"] == "user"
    assert [cut["played_ms"], cut["remembered_ms"]] == pytest.approx([640, 640], abs=1)
    latency = metrics(rec).loc["latency_ms"]
    assert (latency.value, latency.source) == (pytest.approx(260), "label, simulated")
