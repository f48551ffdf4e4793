from __future__ import annotations

import pytest

from realtime_nb.protocol.pauses import Levels
from realtime_nb.protocol.spoken_length import words_of
from realtime_nb.protocol.word_times import (
    DEFAULT_PACE,
    Burst,
    Pace,
    Voiced,
    WordTimes,
    place_words,
    voiced_of,
)
from realtime_nb.testing import silence, tone


def placed(
    text: str, bursts: list[Burst], pcm: bytes, *, whole: bool = False, pace: Pace = DEFAULT_PACE
) -> WordTimes:
    levels = Levels()
    levels.add(pcm)
    return place_words(text, words_of(text), bursts, levels.peaks, len(pcm) / 48, pace, whole=whole)


def test_words_of_a_whole_message_share_its_voiced_time() -> None:
    """Eight letters in 800 ms of voice, of which two are before the pause."""
    times = placed("ab cdefgh", [Burst(0, 0.0)], silence(300) + tone(800), whole=True)
    assert times.ends_ms == [500, 1_100]
    assert times.starts_ms == [300, 500]
    assert times.sources == ["length", "length"]


def test_a_pause_is_where_the_sentence_ends() -> None:
    """By the letters it would end after 480 ms; nothing ends in a pause but the word before it."""
    pcm = tone(560) + silence(300) + tone(900)
    times = placed("Abcdef. Ghijkl mnopqr.", [Burst(0, 0.0)], pcm, whole=True)
    assert times.ends_ms[0] == 560
    assert times.starts_ms[1] == 860
    assert times.sources == ["pauses", "length", "length"]
    assert times.text_until(559) == ""
    assert times.text_until(560) == times.text_until(900) == "Abcdef."


def test_sentences_begin_where_their_text_came() -> None:
    pcm = tone(600) + silence(140) + tone(700)
    times = placed("Abcdefgh. Ijklmno pq rstuvw.", [Burst(0, 0.0), Burst(1, 740.0)], pcm)
    assert times.ends_ms[0] == 600
    assert times.starts_ms[1] == 740
    assert times.sources[0] == "interleaved"
    assert times.fixed == Voiced(10, 600)


@pytest.mark.parametrize(
    "bursts",
    [
        [Burst(0, 0.0), Burst(1, 740.0)],  # in the middle of a sentence
        [Burst(0, 0.0), Burst(2, 200.0)],  # far too early for what came before it
        [Burst(0, 0.0), Burst(2, 450.0)],  # where the voice does not pause
    ],
)
def test_text_that_runs_ahead_is_no_point(bursts: list[Burst]) -> None:
    pcm = tone(600) + silence(140) + tone(700)
    times = placed("Abcd efgh. Ijklmno pq rstuvw.", bursts, pcm)
    assert "interleaved" not in times.sources


def test_no_word_begins_before_the_audio_behind_which_it_came() -> None:
    times = placed("ab cd ef", [Burst(0, 0.0), Burst(1, 300.0), Burst(2, 900.0)], tone(1_000))
    assert times.starts_ms[1] == 300
    assert times.starts_ms[2] == 900


def test_words_heard_by_shares() -> None:
    times = placed("abcd efgh", [], tone(800), whole=True)
    assert [times.words_until(ms) for ms in (0, 200, 400, 600, 800, 900)] == [0, 0.5, 1, 1.5, 2, 2]
    assert placed("", [], tone(100)).words_until(50) == 0
    assert placed("", [], tone(100)).source(50) == "whole"
    assert placed("", [], tone(100)).text_until(50) == ""


def test_words_without_spaces_count_as_the_text_splits() -> None:
    times = placed("日本語です", [], tone(1_000), whole=True)
    assert len(times.words) == 5
    assert times.words_until(1_000) == pytest.approx(1)


def test_the_pace_of_speech_that_was_heard_outweighs_that_of_voices_in_general() -> None:
    assert not DEFAULT_PACE.known
    heard = DEFAULT_PACE.with_more(Voiced(400, 400 * 80.0))
    assert 78 < heard.ms_per_letter < 80
    assert heard.known and heard.letters == 400


def test_how_long_a_whole_message_is_voiced() -> None:
    levels = Levels()
    levels.add(silence(200) + tone(500) + silence(100))
    assert voiced_of(words_of("abcde."), levels.peaks, 800) == Voiced(7, 500)


def test_the_default_pace_is_that_of_people() -> None:
    """Words of 4.7 letters, stops aside: 150 to 230 a minute while the voice is heard."""
    assert 150 < 60_000 / (4.7 * DEFAULT_PACE.ms_per_letter) < 230
