from __future__ import annotations

import base64
import math
from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation

VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
}


class Talk:
    """A conversation of which one second is sent at a time."""

    def __init__(self, detection: dict[str, Any] | None = VAD) -> None:
        self.conversation = Conversation()
        self.session("created", detection)

    def session(self, what: str, detection: dict[str, Any] | None) -> None:
        session = {"audio": {"input": {"turn_detection": detection}}}
        self.got(f"session.{what}", session=session)

    def got(self, type: str, **fields: Any) -> None:
        self.conversation.apply(ev.parse_server({"type": type, **fields}), 1.0)

    def sent(self, type: str, **fields: Any) -> None:
        self.conversation.apply(ev.parse_client({"type": type, **fields}), 1.0)

    def append(self, ms: int) -> None:
        audio = base64.b64encode(bytes(48 * ms)).decode()
        self.sent("input_audio_buffer.append", audio=audio)

    def refer(self, start_ms: int, ms: int, **more: Any) -> None:
        audio = {"file": "input.wav", "start": 24 * start_ms, "samples": 24 * ms, **more}
        self.sent("input_audio_buffer.append", audio=audio)

    def spoke(self, start_ms: int, end_ms: int | None = None, item_id: str = "u") -> None:
        at = {"audio_start_ms": start_ms, "item_id": item_id}
        self.got("input_audio_buffer.speech_started", **at)
        if end_ms is not None:
            self.stopped(end_ms, item_id)

    def stopped(self, end_ms: int, item_id: str = "u") -> None:
        at = {"audio_end_ms": end_ms, "item_id": item_id}
        self.got("input_audio_buffer.speech_stopped", **at)

    def sent_ms(self) -> list[tuple[float, float]]:
        """What is not lost."""
        stretches = self.conversation.audio.clock.stretches()
        return [(start_ms, end_ms) for _, start_ms, end_ms in stretches]

    @property
    def found(self) -> list[tuple[float | None, float | None]]:
        return [(heard.onset_ms, heard.offset_ms) for heard in self.conversation.speech]


def test_the_padding_ends_at_the_turn_before() -> None:
    talk = Talk()
    talk.spoke(100, 1_224)
    talk.spoke(1_224, 2_224)
    talk.spoke(2_225, 3_224)
    assert talk.found == [(400, 1_000), (None, 2_000), (2_525, 3_000)]


@pytest.mark.parametrize("name", ["commit", "clear"])
def test_the_padding_ends_at_what_the_client_took(name: str) -> None:
    talk = Talk()
    talk.append(1_000)
    talk.sent(f"input_audio_buffer.{name}")
    talk.spoke(1_000, 2_224)
    assert talk.found == [(None, 2_000)]


def test_the_padding_ends_where_detection_began() -> None:
    talk = Talk(None)
    talk.append(1_000)
    talk.sent("session.update", session={"audio": {"input": {"turn_detection": VAD}}})
    talk.append(1_000)
    talk.session("updated", VAD)
    talk.spoke(1_000, 2_224)
    assert talk.found == [(None, 2_000)]


def test_the_padding_ends_at_what_was_taken_for_an_idle_user() -> None:
    talk = Talk()
    at = {"audio_start_ms": 0, "audio_end_ms": 5_000, "item_id": "idle"}
    talk.got("input_audio_buffer.timeout_triggered", **at)
    talk.spoke(5_000, 6_224)
    assert talk.found == [(None, 6_000)]


def test_the_window_is_the_one_in_force_at_the_end() -> None:
    talk = Talk({**VAD, "silence_duration_ms": 1_500})
    talk.spoke(100)
    talk.append(800)
    talk.session("updated", VAD)
    talk.append(600)
    talk.stopped(1_224)
    assert talk.found == [(400, 1_000)]


def test_a_window_that_was_changed_in_the_closing_silence_tells_nothing() -> None:
    talk = Talk({**VAD, "silence_duration_ms": 1_500})
    talk.spoke(100)
    talk.append(1_600)  # 1000 of speech and 600 of silence: more than the window to come
    talk.session("updated", VAD)
    talk.stopped(1_632)
    assert talk.found == [(400, None)]


def test_a_confirmed_setting_is_no_change() -> None:
    talk = Talk()
    talk.spoke(100)
    talk.append(1_200)
    talk.session("updated", dict(VAD))
    talk.stopped(1_224)
    assert talk.found == [(400, 1_000)]


def test_a_server_counts_from_the_beginning_of_its_connection() -> None:
    talk = Talk()
    talk.append(3_000)
    talk.spoke(100, 1_224)
    talk.session("created", VAD)
    talk.append(3_000)
    talk.spoke(0, 1_224)
    talk.spoke(1_300, 2_224)
    assert talk.conversation.audio.connection_ms == 3_000
    assert talk.found == [(400, 1_000), (None, 4_000), (4_600, 5_000)]


@pytest.mark.parametrize("start_ms", [0, 100])
def test_a_count_that_goes_back_tells_no_position(start_ms: int) -> None:
    talk = Talk()
    talk.spoke(100, 1_224)
    talk.spoke(start_ms, 1_224, "v")
    talk.spoke(5_000, 6_224, "w")
    assert talk.found == [(400, 1_000), (None, None), (None, None)]
    assert all(math.isnan(one.audio_start_ms) for one in talk.conversation.speech[1:])
    talk.append(3_000)
    talk.session("created", VAD)
    talk.spoke(100, 1_224)
    assert talk.found[3] == (3_400, 4_000)


def test_the_end_of_another_stretch_is_not_its_end() -> None:
    talk = Talk()
    talk.spoke(100)
    talk.stopped(5_224, "of one whose beginning is lost")
    assert talk.conversation.speech[0].audio_end_ms is None


def test_references_tell_how_much_was_lost() -> None:
    talk = Talk()
    talk.refer(0, 100)
    talk.refer(200, 100)
    assert (talk.sent_ms(), talk.conversation.input_ms) == ([(0, 100), (200, 300)], 300)
    talk.refer(200, 100)  # a line that is there twice
    assert talk.conversation.input_ms == 300
    talk.refer(300, 100)
    assert (talk.sent_ms(), talk.conversation.input_ms) == ([(0, 100), (200, 400)], 400)


def test_what_happened_where_appends_are_lost_may_have_happened_after_them() -> None:
    talk = Talk()
    talk.refer(0, 1_000)
    talk.sent("input_audio_buffer.commit")
    talk.refer(1_500, 500)
    talk.spoke(1_500)
    talk.session("updated", {**VAD, "silence_duration_ms": 100})
    talk.refer(3_000, 500)
    talk.stopped(3_032)
    assert talk.found == [(None, None)]
    talk.spoke(4_000)
    talk.session("updated", VAD)
    talk.stopped(5_224)  # of which nothing is there
    assert talk.found[1:] == [(4_300, None)]


def test_a_connection_whose_first_appends_are_lost_began_somewhere() -> None:
    talk = Talk()
    talk.refer(500, 500)
    talk.spoke(100, 900)
    talk.session("created", VAD)
    talk.refer(2_000, 500)
    talk.spoke(100, 900)
    assert talk.found == [(400, 676), (None, None)]


def test_the_wire_counts_where_a_resampler_made_more_or_less() -> None:
    talk = Talk()
    talk.session("updated", None)
    talk.conversation.session["audio"]["input"]["format"] = {"type": "audio/pcmu"}
    talk.refer(0, 19, bytes=160)
    talk.refer(19, 21, bytes=160)
    assert talk.conversation.input_ms == 40
