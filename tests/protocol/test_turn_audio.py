"""The latest audio of a user is cut into turns exactly, and kept no longer than it is of use."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.turn_audio import LONGEST_TURN_MS, TurnAudio
from realtime_nb.protocol.user_audio import UserAudio

PCM = {"type": "audio/pcm", "rate": 24_000}
ULAW = {"type": "audio/pcmu"}


class Talk:
    """A user's audio, folded and kept; every sample is its own number, modulo 60,000."""

    def __init__(self) -> None:
        self.audio = UserAudio()
        self.kept = TurnAudio(self.audio)
        self.count = 0

    def says(self, samples: int, fields: dict[str, Any] | None = None) -> None:
        numbers = [(self.count + n) % 60_000 for n in range(samples)]
        self.count += samples
        if fields is ULAW:
            payload = bytes(number % 256 for number in numbers)
        else:
            payload = b"".join(number.to_bytes(2, "little") for number in numbers)
        event = ev.AudioBufferAppend(audio=base64.b64encode(payload).decode())
        self.audio.appended(event, fields or PCM, None, None)
        self.kept.appended(event, fields or PCM)

    def heard(self, item_id: str, start_ms: int, end_ms: int) -> None:
        started = ev.SpeechStarted(item_id=item_id, audio_start_ms=start_ms)
        self.audio.started(started, None, 0.0)
        self.audio.stopped(ev.SpeechStopped(item_id=item_id, audio_end_ms=end_ms), None, 1.0)

    def commits(self, event_id: str) -> None:
        self.kept.sending(ev.AudioBufferCommit(event_id=event_id))
        self.audio.committed()

    def samples_of(self, item_id: str) -> list[int] | None:
        return samples(self.kept.of(item_id))


def samples(payload: str | None) -> list[int] | None:
    if payload is None:
        return None
    raw = base64.b64decode(payload)
    return [int.from_bytes(raw[n : n + 2], "little") for n in range(0, len(raw), 2)]


@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=40), st.data())
def test_a_turn_is_the_samples_between_its_ends_however_they_came(
    sizes: list[int], data: st.DataObject
) -> None:
    talk = Talk()
    for size in sizes:
        talk.says(size)
    whole_ms = sum(sizes) // 24
    start_ms = data.draw(st.integers(0, whole_ms))
    end_ms = data.draw(st.integers(start_ms, whole_ms))
    talk.heard("item", start_ms, end_ms)
    expected = [n % 60_000 for n in range(24 * start_ms, 24 * end_ms)] or None
    assert talk.samples_of("item") == expected


def test_what_is_ended_by_hand_is_all_since_the_last_time() -> None:
    talk = Talk()
    talk.says(2_400)
    talk.commits("one")
    talk.says(4_800)
    talk.commits("two")
    talk.kept.committed("first")
    talk.kept.committed("second")
    assert talk.samples_of("first") == list(range(2_400))
    assert talk.samples_of("second") == list(range(2_400, 7_200))


def test_a_refused_commit_made_no_turn_and_an_unanswered_one_is_told_at_the_end() -> None:
    talk = Talk()
    talk.says(2_400)
    talk.commits("one")
    talk.says(240)
    talk.commits("two")
    talk.kept.refused("one")
    talk.kept.refused(None)
    assert [samples(one) for one in talk.kept.lost()] == [list(range(2_400, 2_640))]
    assert list(talk.kept.lost()) == []


def test_a_turn_that_detection_ended_is_no_answer_to_a_commit() -> None:
    talk = Talk()
    talk.says(24_000)
    talk.heard("detected", 100, 500)
    talk.commits("by hand")
    talk.kept.committed("detected")
    talk.kept.committed("rest")
    assert talk.samples_of("detected") == list(range(2_400, 12_000))
    assert talk.samples_of("rest") == list(range(24_000))


@pytest.mark.parametrize(
    ("longer_ms", "known"), [(0, True), (1, False)], ids=["as long as it may be", "longer"]
)
def test_a_long_turn_is_not_told_at_all(longer_ms: int, known: bool) -> None:
    talk = Talk()
    for _ in range(16):
        talk.says(24_000)
    talk.heard("item", 0, int(LONGEST_TURN_MS) + longer_ms)
    assert (talk.samples_of("item") is not None) is known


def test_old_audio_goes_and_nobody_takes_other_audio_for_it() -> None:
    talk = Talk()
    talk.heard("old", 0, 500)
    for _ in range(90):
        talk.says(24_000)
    talk.heard("new", 85_000, 86_000)
    assert talk.samples_of("old") is None
    assert talk.samples_of("new") == [n % 60_000 for n in range(24 * 85_000, 24 * 86_000)]
    assert talk.samples_of("nobody's") is None
    assert len(talk.kept._kept) <= 60 * 48_000


def test_another_format_begins_anew() -> None:
    talk = Talk()
    talk.says(24_000)
    talk.says(8_000, ULAW)
    talk.heard("before", 0, 900)
    talk.heard("across", 901, 1_500)
    talk.heard("after", 1_502, 2_000)
    assert talk.kept.of("before") is None
    assert talk.kept.of("across") is None
    told = talk.kept.of("after")
    assert told is not None
    assert len(base64.b64decode(told)) == 8 * 498


@pytest.mark.parametrize("payload", ["", "not base64", "AAA", "AAAA"])
def test_a_bad_payload_spoils_nothing(payload: str) -> None:
    talk = Talk()
    talk.says(2_400)
    event = ev.AudioBufferAppend(audio=payload)
    talk.audio.appended(event, PCM, None, None)
    talk.kept.appended(event, PCM)
    start_ms = int(talk.audio.sent_ms) + 1
    for _ in range(3):
        talk.says(2_400)
    talk.heard("item", start_ms, start_ms + 200)
    found = talk.samples_of("item")
    assert found is not None
    assert len(found) in (4_799, 4_800)  # it may begin between two samples
    assert {after - before for before, after in pairwise(found)} == {1}
