from __future__ import annotations

from realtime_nb.testing import FakeSTT, FakeTTS, tone


def test_the_fake_ear_hears_its_texts_in_turn_and_stays_at_the_last() -> None:
    ear = FakeSTT("one", "two")
    assert [ear.transcribe(b"", 24_000) for _ in range(3)] == ["one", "two", "two"]


def test_the_fake_voice_takes_its_time_for_every_word() -> None:
    assert len(FakeTTS(100).speak("one two three", "any")) == len(tone(300))
    assert len(FakeTTS(100).speak("one two three", "any", speed=2.0)) == len(tone(150))
