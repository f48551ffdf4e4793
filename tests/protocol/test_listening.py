"""What is heard: turns, commits, formats, semantic endpoints, the idle timeout."""

from __future__ import annotations

import base64

import pytest

from realtime_nb.audio.pcm import alaw_encode, ulaw_encode
from realtime_nb.protocol.server import Respond, Transcribe
from realtime_nb.testing import silence, tone
from tests.protocol.orders import NO_VAD, SPOKEN, SPOKEN_DONE, TURN, first, vad
from tests.protocol.peer import Peer, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


# --- spoken turns ---


def test_a_spoken_turn_by_voice_activity(peer: Peer) -> None:
    said = peer.append(silence(1_000) + tone(640) + silence(320))
    assert types(said) == [*TURN, "response.created"]
    started, stopped, committed, added, done, created = said
    # Frames 31 (which begins at 992) to 51 are loud; 7 silent frames are the first ≥ 200 ms.
    assert started["audio_start_ms"] == 992 - 300
    assert stopped["audio_end_ms"] == 1_664 + 7 * 32
    ids = {started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]}
    assert len(ids) == 1
    assert committed["previous_item_id"] is None
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert added["item"] == done["item"]
    assert created["response"]["usage"] is None

    peer.hear()
    job = peer.responding()
    spoken = peer.speak(job.response_id, "Hi.")
    assert types(spoken) == SPOKEN
    assert first(spoken, "conversation.item.added")["previous_item_id"] == added["item"]["id"]
    assert first(spoken, "response.content_part.added")["part"] == {
        "type": "audio",
        "transcript": "",
    }
    finished = peer.finish(job.response_id)
    assert types(finished) == [*SPOKEN_DONE, "rate_limits.updated"]
    response = first(finished, "response.done")["response"]
    assert response["status"] == "completed"
    assert response["status_details"] is None
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hi."}]
    assert response["usage"]["output_token_details"] == {"text_tokens": 1, "audio_tokens": 8}
    assert peer.cancelled() == []
    peer.ledger.check_settled()


def test_words_come_one_by_one_and_before_their_audio(peer: Peer) -> None:
    peer.send("response.create")
    spoken = peer.speak(peer.responding().response_id, "  One two\nthree ")
    words = [e["delta"] for e in spoken if e["type"].endswith("transcript.delta")]
    assert words == ["  One ", "two\n", "three "]
    assert types(spoken)[-1] == "response.output_audio.delta"


def test_the_next_turn_may_start_before_the_last_one_ended_but_shares_no_audio(peer: Peer) -> None:
    peer.update_input(**vad(create_response=False))
    said = peer.append(silence(500) + (tone(320) + silence(256)) * 2)
    starts = [e["audio_start_ms"] for e in said if e["type"].endswith("speech_started")]
    ends = [e["audio_end_ms"] for e in said if e["type"].endswith("speech_stopped")]
    assert ends[0] <= starts[1]
    for start_ms, end_ms, item_id in zip(starts, ends, peer.core.conversation.order, strict=True):
        (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
        audio = base64.b64decode(retrieved["item"]["content"][0]["audio"])
        assert len(audio) / 48 == end_ms - start_ms
    assert "response.created" not in types(said)


def test_push_to_talk(peer: Peer) -> None:
    peer.update_input(**NO_VAD)
    assert types(peer.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert peer.append(tone(500)) == []
    committed = peer.send("input_audio_buffer.commit")
    assert types(committed) == TURN[2:]
    assert types(peer.send("response.create")) == ["response.created"]
    (heard,) = peer.take(Transcribe)
    assert heard.audio == tone(500)
    assert peer.take(Respond) == []  # it waits for the words
    peer.core.receive_transcript(heard.item_id, heard.attempt, "what time is it")
    peer.collect()
    job = peer.responding()
    assert job.items[0]["content"][0]["transcript"] == "what time is it"


def test_a_manual_commit_with_detection_on_ends_the_turn_without_speech_stopped(
    peer: Peer,
) -> None:
    started = peer.append(silence(3_008) + tone(640))
    assert types(started) == TURN[:1]
    committed = peer.send("input_audio_buffer.commit")
    assert types(committed) == TURN[2:]
    assert committed[0]["item_id"] == started[0]["item_id"]
    (job,) = peer.take(Transcribe)
    assert len(job.audio) / 48 == 3_648 - started[0]["audio_start_ms"]
    item = peer.core.conversation.items[job.item_id]
    assert item.audio_ms == len(job.audio) / 48
    assert peer.append(silence(500)) == []  # nothing is left to stop


def test_a_manual_commit_in_silence_takes_all_that_is_held(peer: Peer) -> None:
    peer.append(silence(500))
    assert types(peer.send("input_audio_buffer.commit")) == TURN[2:]
    (job,) = peer.take(Transcribe)
    assert len(job.audio) / 48 == 500


def test_clear_drops_the_turn_that_is_being_spoken(peer: Peer) -> None:
    (started,) = peer.append(tone(640))
    peer.append(silence(128))  # asked for ahead of the turn's end
    (ahead,) = peer.take(Transcribe)
    peer.send("input_audio_buffer.clear")
    peer.core.receive_transcript(ahead.item_id, ahead.attempt, "too late")
    assert peer.collect() == []
    again = peer.append(silence(500) + tone(320))
    assert types(again) == TURN[:1]
    assert again[0]["item_id"] != started["item_id"]
    assert again[0]["audio_start_ms"] >= 640 + 128


def test_half_a_sample_waits_for_its_other_half(peer: Peer) -> None:
    peer.update_input(**NO_VAD)
    audio = tone(300)
    peer.append(audio[:9_601], piece_bytes=9_601)
    peer.send("input_audio_buffer.commit")
    peer.append(audio[9_601:], piece_bytes=len(audio))
    peer.send("input_audio_buffer.commit")
    jobs = peer.take(Transcribe)
    assert [job.audio for job in jobs] == [audio[:9_600], audio[9_600:]]


def test_detection_turned_on_in_the_middle_of_a_sample_hears_the_same(peer: Peer) -> None:
    faint = b"\x64\x00" * 24_000  # 100, but 25,600 to who begins with the second byte
    peer.update_input(**NO_VAD)
    peer.append(faint[:4_801], piece_bytes=4_801)
    peer.update_input(**vad())
    assert peer.append(faint[4_801:], piece_bytes=1) == []
    assert types(peer.append(tone(640) + silence(320)))[:5] == TURN
    assert all(len(job.audio) % 2 == 0 for job in peer.take(Transcribe))


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_g711_both_ways(peer: Peer, law: str) -> None:
    encode = ulaw_encode if law == "audio/pcmu" else alaw_encode
    peer.update(audio={"input": {"format": {"type": law}}, "output": {"format": {"type": law}}})
    speech = tone(640, sample_rate=8_000) + silence(320, sample_rate=8_000)
    said = peer.append(encode(speech), piece_bytes=161)
    assert types(said) == [*TURN, "response.created"]
    assert said[1]["audio_end_ms"] - said[0]["audio_start_ms"] == 640 + 7 * 32
    job = peer.take(Transcribe)[-1]
    assert job.audio_format == {"type": law}
    peer.core.receive_transcript(job.item_id, job.attempt, "hi")
    peer.collect()
    response_id = peer.responding().response_id
    peer.core.receive_speech(response_id, "Hi.", encode(tone(400, sample_rate=8_000)))
    finished = [*peer.collect(), *peer.finish(response_id)]
    usage = first(finished, "response.done")["response"]["usage"]
    assert usage["output_token_details"]["audio_tokens"] == 8
    assert peer.core.conversation.responses[response_id].audio_ms == 400


def test_a_response_may_speak_in_a_format_of_its_own(peer: Peer) -> None:
    own = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
    peer.send("response.create", response=own)
    response_id = peer.responding().response_id
    peer.core.receive_speech(response_id, "Hi.", bytes(8 * 400))
    done = [*peer.collect(), *peer.finish(response_id)]
    item_id = first(done, "response.output_item.done")["item"]["id"]
    assert peer.core.conversation.items[item_id].audio_ms == 400
    ask = {"item_id": item_id, "content_index": 0}
    assert types(peer.send("conversation.item.truncate", **ask, audio_end_ms=400)) == [
        "conversation.item.truncated"
    ]


def test_a_new_input_format_begins_a_new_buffer_and_positions_go_on(peer: Peer) -> None:
    (started,) = peer.append(silence(1_000) + tone(320))
    peer.update_input(format={"type": "audio/pcma"})
    quiet, loud = silence(992, sample_rate=8_000), tone(640, sample_rate=8_000)
    said = peer.append(alaw_encode(quiet + loud + silence(320, sample_rate=8_000)))
    assert types(said)[:5] == TURN
    assert said[0]["item_id"] != started["item_id"]
    assert said[0]["audio_start_ms"] == 1_320 + 992 - 300


# --- updates while somebody speaks ---


def test_an_update_in_mid_speech_keeps_the_turn(peer: Peer) -> None:
    (started,) = peer.append(tone(640))
    peer.update_input(**vad(silence_duration_ms=1_000))
    assert peer.append(silence(960)) == []
    stopped = peer.append(silence(128))
    assert types(stopped)[:4] == TURN[1:]
    assert stopped[0]["item_id"] == started["item_id"]


def test_detection_turned_off_in_mid_speech_leaves_the_audio_to_a_commit(peer: Peer) -> None:
    (started,) = peer.append(tone(640))
    peer.update_input(**NO_VAD)
    assert peer.append(silence(1_000)) == []
    committed = peer.send("input_audio_buffer.commit")
    assert committed[0]["item_id"] != started["item_id"]
    (job,) = peer.take(Transcribe)
    assert job.audio == tone(640) + silence(1_000)


def test_server_vad_to_semantic_vad_in_mid_speech(peer: Peer) -> None:
    peer.append(tone(640))
    peer.update_input(turn_detection={"type": "semantic_vad", "eagerness": "high"})
    assert peer.append(silence(1_900)) == []
    assert types(peer.append(silence(128)))[:4] == TURN[1:]


# --- semantic_vad ---


@pytest.mark.parametrize(
    ("eagerness", "text", "waited_ms"),
    [
        ("high", "I would like to book a table.", 224),
        ("auto", "I would like to book a table.", 608),
        ("low", "I would like to book a table.", 1_504),
        ("high", "I would like to book a", 2_016),
        ("auto", "and then, um", 4_000),
        ("medium", "first,", 4_000),
        ("low", "", 8_000),
    ],
)
def test_semantic_vad_waits_by_what_was_said(
    peer: Peer, eagerness: str, text: str, waited_ms: int
) -> None:
    peer.update_input(turn_detection={"type": "semantic_vad", "eagerness": eagerness})
    peer.append(tone(640) + silence(96))
    assert peer.hear(text) == []
    said = peer.append(silence(8_000))
    assert said[0]["type"] == "input_audio_buffer.speech_stopped"
    assert said[0]["audio_end_ms"] == 640 + waited_ms


def test_semantic_vad_without_a_transcript_waits_its_longest(peer: Peer) -> None:
    peer.update_input(turn_detection={"type": "semantic_vad", "eagerness": "high"})
    peer.append(tone(640) + silence(96))
    (job,) = peer.take(Transcribe)
    peer.core.receive_transcript_failure(job.item_id, job.attempt, "engine gone")
    assert peer.append(silence(1_800)) == []
    assert types(peer.append(silence(160)))[:4] == TURN[1:]


# --- idle timeout ---


def test_a_silent_user_is_spoken_to(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.append(silence(992))
    peer.answer(audio_ms=2_000)  # is over at 2,992
    assert peer.append(silence(6_976)) == []
    idle = peer.append(silence(64))
    assert types(idle) == [
        "input_audio_buffer.timeout_triggered",
        *TURN[2:],
        "response.created",
    ]
    assert (idle[0]["audio_start_ms"], idle[0]["audio_end_ms"]) == (2_992, 8_000)
    assert idle[0]["item_id"] == idle[1]["item_id"] == idle[2]["item"]["id"]
    assert len(peer.take(Transcribe)[0].audio) == 48 * (8_000 - 2_992)
    assert peer.append(silence(10_000)) == []  # its answer is being made


def test_the_idle_clock_counts_from_audio_that_began_at_zero(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id, audio_ms=1_000)
    peer.append(silence(800))
    peer.finish(job.response_id)
    idle = peer.append(silence(6_000))
    assert (idle[0]["audio_start_ms"], idle[0]["audio_end_ms"]) == (1_000, 6_016)


def test_speech_stops_the_idle_clock_and_its_interruption_does_not_restart_it(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000, create_response=False))
    peer.send("response.create")
    peer.speak(peer.responding().response_id)
    said = peer.say()
    assert "response.done" in types(said)
    assert peer.append(silence(20_000)) == []


def test_the_idle_clock_counts_from_where_a_long_answer_was_stopped(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.answer(audio_ms=30_000)
    peer.append(silence(2_000))
    first = next(item for item in peer.core.conversation.in_order() if item.role == "assistant")
    peer.send("conversation.item.truncate", item_id=first.id, content_index=0, audio_end_ms=1_900)
    assert peer.append(silence(4_900)) == []
    idle = peer.append(silence(200))
    assert (idle[0]["audio_start_ms"], idle[0]["audio_end_ms"]) == (2_000, 7_008)


def test_the_idle_clock_waits_for_an_answer_that_was_not_stopped(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.answer(audio_ms=1_000)
    peer.answer(audio_ms=30_000)
    peer.append(silence(2_000))
    first, second = (i for i in peer.core.conversation.in_order() if i.role == "assistant")
    peer.send("conversation.item.truncate", item_id=first.id, content_index=0, audio_end_ms=500)
    assert peer.append(silence(10_000), piece_bytes=48_000) == []
    peer.send("conversation.item.delete", item_id=second.id)
    assert "input_audio_buffer.timeout_triggered" in types(peer.append(silence(5_100)))


def test_the_idle_clock_stands_while_an_answer_is_made(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.answer(audio_ms=1_000)
    peer.send("response.create")
    assert peer.append(silence(10_000)) == []


def test_a_response_out_of_band_leaves_the_idle_clock_alone(peer: Peer) -> None:
    peer.update_input(**vad(idle_timeout_ms=5_000))
    peer.answer(audio_ms=1_000)
    peer.append(silence(2_000))
    peer.send("response.create", response={"conversation": "none"})
    peer.finish(peer.responding().response_id)
    assert "input_audio_buffer.timeout_triggered" in types(peer.append(silence(5_000)))


def test_an_idle_timeout_set_late_counts_from_then(peer: Peer) -> None:
    peer.answer(audio_ms=1_000)
    peer.append(silence(60_000), piece_bytes=48_000)
    peer.update_input(**vad(idle_timeout_ms=5_000))
    assert peer.append(silence(4_900)) == []
    idle = peer.append(silence(200))
    assert idle[0]["audio_start_ms"] == 60_000
    assert peer.take(Transcribe)[0].audio == silence(idle[0]["audio_end_ms"] - 60_000)
