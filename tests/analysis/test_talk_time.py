from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from realtime_nb.analysis import tables
from realtime_nb.analysis.cost.costs import cost_summary
from realtime_nb.analysis.cost.prices import Price
from realtime_nb.analysis.talk_time import talk_time
from tests.made_recording import MadeRecording
from tests.scripted_session import USAGE
from tests.spoken_recording import begun, spoken, voiced

PRICE = {"gpt-realtime": Price(1, 1, 1, 1, 1, 1)}


class Listened(MadeRecording):
    """Its tables know what the offline detector hears, as those of a recording do."""

    @property
    def turns(self) -> pd.DataFrame:
        return tables.turns(self.conversation, self.input_clock, self.voices)

    @property
    def speech(self) -> pd.DataFrame:
        return tables.speech(self.conversation, self.input_clock, self.voices)


def pushed() -> Listened:
    """Push-to-talk: two turns of 2 s and 1 s of voice, each answered with 4 s."""
    rec = Listened(**vars(begun(None)))
    voiced(rec, (1_000, 3_000), (10_000, 11_000))
    for number, t_s in enumerate((4.5, 12.5)):
        rec.user(t_s, f"user_{number}", "Tell me.")
        rec.answer(t_s + 0.5, f"resp_{number}", 4_000, "A long answer.", usage=USAGE)
        rec.played(f"resp_{number}_item", 0, "started", t_s + 1)
        rec.played(f"resp_{number}_item", 4_000, "finished", t_s + 5)
    rec.output[:] = 0.0
    return rec


def test_push_to_talk_counts_the_voice() -> None:
    rec = pushed()
    rec.output = np.zeros(0, np.float32)

    talk = talk_time(rec)

    assert (talk.user_s, talk.agent_s, talk.reason) == (3.0, 8.0, None)
    cost = cost_summary(rec, PRICE, model="gpt-realtime")
    assert cost.per_talk_minute_usd == pytest.approx(cost.priced_usd / (11 / 60))


def test_the_agent_is_counted_where_it_is_audible() -> None:
    rec = pushed()
    rec.output[5 * 24_000 : 8 * 24_000] = 0.1  # 3 of the 4 s that were played

    assert talk_time(rec).agent_s == pytest.approx(3.0)


def test_turn_detections_word_holds_where_it_has_one() -> None:
    rec = Listened(**vars(begun()))
    spoken(rec, "user_1", 2_000, 3_000, stopped_s=4.3)
    rec.user(4.35, "user_1", "What is free?")
    voiced(rec, (2_000, 2_900))

    assert talk_time(rec).user_s == 1.0


def test_semantic_vad_counts_the_voice_and_not_the_wait() -> None:
    rec = Listened(**vars(begun({"type": "semantic_vad"})))
    where = {"item_id": "user_1"}
    rec.got(3.2, "input_audio_buffer.speech_started", audio_start_ms=1_700, **where)
    rec.got(8.2, "input_audio_buffer.speech_stopped", audio_end_ms=7_000, **where)
    rec.user(8.3, "user_1", "Tell me.")
    voiced(rec, (2_000, 3_000))

    assert talk_time(rec).user_s == 1.0


def test_a_log_does_not_tell_how_long_anybody_was_heard() -> None:
    rec = MadeRecording(duration_s=30.0)
    rec.user(1.0, "user_1", "Hello.")
    rec.answer(2.0, "resp_1", 4_000, "Hello to you.", usage=USAGE)

    talk = talk_time(rec)

    assert math.isnan(talk.user_s) and math.isnan(talk.agent_s)
    cost = cost_summary(rec, PRICE, model="gpt-realtime")
    assert math.isnan(cost.per_talk_minute_usd)
    assert cost.unknown["per_talk_minute_usd"] == talk.reason
    assert "per minute of talk: not known: how long the user spoke is not known; how much" in (
        repr(cost)
    )
    assert cost.unknown["unheard_tokens"] == "playback was not reported"


def test_without_times_the_agent_has_spoken_all_the_same() -> None:
    rec = MadeRecording(duration_s=math.nan)
    rec.answer(1.0, "resp_1", 4_000, "Hello.", usage=USAGE)
    rec.conversation.items["resp_1_item"].first_audio_s = None

    assert math.isnan(talk_time(rec).agent_s)
    cost = cost_summary(rec, PRICE, model="gpt-realtime")
    assert cost.unknown["unheard_share"] == "playback was not reported"
    assert cost.unknown["per_minute_usd"] == "how long the session was is not known"


def test_what_was_typed_is_no_talk() -> None:
    rec = MadeRecording()
    content = [{"type": "input_text", "text": "Hello"}]
    item = {"id": "user_1", "type": "message", "role": "user", "content": content}
    rec.got(1.0, "conversation.item.added", item=item)

    assert (talk_time(rec).both_s, talk_time(rec).reason) == (0.0, None)
    assert cost_summary(rec).unknown["per_talk_minute_usd"] == "nobody spoke"


def test_how_much_was_played_may_be_unknown() -> None:
    rec = pushed()
    rec.output = np.zeros(0, np.float32)
    rec.conversation.items["resp_0_item"].played_ms = math.nan

    assert math.isnan(talk_time(rec).agent_s)
    cost = cost_summary(rec, PRICE, model="gpt-realtime")
    assert math.isnan(cost.unheard_share) and math.isnan(cost.unheard_usd)
    assert cost.unknown["unheard_usd"] == "how much of the agent was played is not known"


def test_what_is_missing_of_the_audio_is_not_left_out_of_the_count() -> None:
    rec = pushed()
    rec.output[5 * 24_000 : 8 * 24_000] = 0.1
    rec.conversation.gaps["output.wav"] = "the last 1.00 s of output.wav are missing"
    assert talk_time(rec).agent_s == 8.0  # as the device reported

    rec.conversation.gaps["input.wav"] = "the last 1.00 s of input.wav are missing"
    assert math.isnan(talk_time(rec).user_s)


def test_what_was_deleted_was_said_and_paid_for() -> None:
    rec = pushed()
    rec.output = np.zeros(0, np.float32)
    before = cost_summary(rec, PRICE, model="gpt-realtime")
    for item_id in ("user_0", "resp_0_item"):
        rec.got(30.0, "conversation.item.deleted", item_id=item_id)

    after = cost_summary(rec, PRICE, model="gpt-realtime")
    assert len(after.table) == len(before.table)
    assert talk_time(rec).agent_s == 8.0
    assert after.unheard_tokens == before.unheard_tokens
