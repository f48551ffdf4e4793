from __future__ import annotations

import pytest

from realtime_nb.commands.bench import heard
from realtime_nb.errors import ConfigurationError


def test_figures_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = heard.run(cuts=4)

    assert figures["cuts"] == 4
    for kind in ("local", "text_first"):
        assert 0 <= figures[f"{kind}_p50_words"] <= 3
    assert 100 < figures["whole_wpm"] < 300
    printed = capsys.readouterr().out
    assert "4 interrupted answers" in printed
    assert "targets: " in printed


def test_no_cuts() -> None:
    with pytest.raises(ConfigurationError, match="cuts"):
        heard.run(cuts=0)


TEXT = "The fee is $125, payable on the day. I'm open at 8:30. Has it gone up by 15%?"


@pytest.mark.parametrize(
    ("transcript", "words"),
    [
        ("", 0),
        ("Okay", 0),
        ("The fee", 2),
        ("The fee is $125.", 4),
        ("The fee is one hundred twenty five", 4),
        ("The fees $125 payable on the", 7),  # one is misheard
        ("The fee is $125, payable on the day. I'm old.", 9),  # the last is made up
        ("The fee is $125, payable on the day, I'm open at eight thirty in the morning", 12),
        (TEXT, 18),
    ],
)
def test_words_that_a_transcript_has(transcript: str, words: int) -> None:
    assert heard.words_heard_in(transcript, TEXT) == words
