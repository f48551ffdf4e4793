from __future__ import annotations

import pytest

from realtime_nb.analysis.what_if.label_text import turns_in_text
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.errors import ConfigurationError

TWO = [TrueTurn(500, 2000, "yes"), TrueTurn(3000, 4250, 'she "said" no')]

AUDACITY = '0.500000\t2.000000\tyes\n\\\t100.0\t200.0\n3.000000\t4.250000\tshe "said" no\n'
RTTM = (
    ";; a comment\n"
    "SPKR-INFO call 1 <NA> <NA> <NA> unknown caller <NA>\n"
    "SPEAKER call 1 0.500 1.500 <NA> <NA> caller <NA> <NA>\n"
    "SPEAKER call 1 3.000 1.250 <NA> <NA> caller <NA> <NA>\n"
)
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 5.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "user"
        xmin = 0
        xmax = 5.5
        intervals: size = 5
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 2
            text = "yes"
        intervals [3]:
            xmin = 2
            xmax = 3
            text = " "
        intervals [4]:
            xmin = 3
            xmax = 4.25
            text = "she ""said"" no"
        intervals [5]:
            xmin = 4.25
            xmax = 5.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 5.5
        points: size = 1
        points [1]:
            number = 1.5
            mark = "click"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
5.5
<exists>
2
"IntervalTier"
"user"
0
5.5
5
0
0.5
""
0.5
2
"yes"
2
3
" "
3
4.25
"she ""said"" no"
4.25
5.5
""
"TextTier"
"clicks"
0
5.5
1
1.5
"click"
"""
JSON = '[{"start_s": 0.5, "end_s": 2, "text": "yes"}, {"start_ms": 3000, "end_ms": 4250}]'


@pytest.mark.parametrize("text", [AUDACITY, LONG, SHORT, LONG.replace("\n", "\r\n")])
def test_labels_with_texts(text: str) -> None:
    assert turns_in_text(text, "labels") == TWO


@pytest.mark.parametrize("text", [RTTM, JSON, "\n" + RTTM[13:], f'{{"segments": {JSON}}}'])
def test_labels_in_other_forms(text: str) -> None:
    found = turns_in_text(text, "labels")

    assert [(one.start_ms, one.end_ms) for one in found] == [(500, 2000), (3000, 4250)]


def test_texts_over_several_lines_and_with_numbers_are_texts() -> None:
    text = LONG.replace('"yes"', '"1 2\n<exists> ! 3"')

    assert turns_in_text(text, "labels")[0].text == "1 2\n<exists> ! 3"


def test_of_several_speakers_the_user_is_meant_or_somebody_is_named() -> None:
    both = RTTM + "SPEAKER call 1 9.0 1.0 <NA> <NA> agent <NA> <NA>\n"

    assert len(turns_in_text(both, "a.rttm", speaker="caller")) == 2
    assert len(turns_in_text(both, "a.rttm", speaker="agent")) == 1
    assert len(turns_in_text(both.replace("caller", "user"), "a.rttm")) == 2
    with pytest.raises(ConfigurationError, match=r"several speakers.*'agent'.*'caller'"):
        turns_in_text(both, "a.rttm")
    with pytest.raises(ConfigurationError, match=r"speaker is 'bob', and a.rttm has 'agent', 'cal"):
        turns_in_text(both, "a.rttm", speaker="bob")


def test_of_several_channels_one_is_named() -> None:
    both = RTTM + "SPEAKER call 2 9.0 1.0 <NA> <NA> caller <NA> <NA>\n"

    assert len(turns_in_text(both, "a.rttm", channel=2)) == 1
    assert len(turns_in_text(both, "a.rttm", channel="1")) == 2
    with pytest.raises(ConfigurationError, match=r"several channels"):
        turns_in_text(both, "a.rttm")
    with pytest.raises(ConfigurationError, match=r"channel is '3', and a.rttm has '1', '2'"):
        turns_in_text(both, "a.rttm", channel=3)


def test_of_several_tiers_one_is_named() -> None:
    text = LONG.replace('name = "user"', 'name = "caller"')

    assert turns_in_text(text, "a.TextGrid", tier="caller") == TWO
    with pytest.raises(ConfigurationError, match=r"several tiers.*'caller'.*'clicks'"):
        turns_in_text(text, "a.TextGrid")
    with pytest.raises(ConfigurationError, match=r"tier is 'x', and a.TextGrid has 'caller'"):
        turns_in_text(text, "a.TextGrid", tier="x")
    with pytest.raises(ConfigurationError, match=r"'clicks' of a.TextGrid holds points"):
        turns_in_text(text, "a.TextGrid", tier="clicks")


def test_an_empty_tier_says_what_to_do() -> None:
    text = LONG.replace('"yes"', '""').replace('"she ""said"" no"', '""')

    with pytest.raises(ConfigurationError, match=r"tier 'user' of a.TextGrid is empty"):
        turns_in_text(text, "a.TextGrid")


@pytest.mark.parametrize("text", ["", "  \n", "[]", '{"segments": []}', ";; nothing\n"])
def test_no_labels(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no labels; .* labels=\[\]|is no label"):
        turns_in_text(text, "labels")


@pytest.mark.parametrize("cut", range(40, len(SHORT) - 4, 23))
def test_a_text_grid_that_ends_early(cut: int) -> None:
    with pytest.raises(ConfigurationError, match=r"damaged TextGrid"):
        turns_in_text(SHORT[:cut], "a.TextGrid")


def test_a_text_grid_without_tiers() -> None:
    text = SHORT[: SHORT.index("<exists>")] + "<absent>\n"

    with pytest.raises(ConfigurationError, match=r"holds no labels"):
        turns_in_text(text, "a.TextGrid")


@pytest.mark.parametrize(
    "text",
    [
        "0,5\t2,0\tyes\n",
        "hello\n",
        "0.5 2.0 yes\n",
        "0.5\n",
        "SPEAKER call 1 x 1.0 <NA> <NA> a <NA> <NA>\n",
        "SPEAKER call 1 1.0\n",
        "[1, 2",
        '[{"from": 1}]',
        "\0\1\2",
    ],
)
def test_damage_is_named_with_its_file(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"labels.x"):
        turns_in_text(text, "labels.x")


def test_the_line_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"Line 4 of a.txt"):
        turns_in_text(AUDACITY + "oops\n", "a.txt")


def test_two_recordings_in_one_file() -> None:
    with pytest.raises(ConfigurationError, match=r"2 files \(call, other\)"):
        turns_in_text(RTTM + RTTM.replace("call 1", "other 1"), "a.rttm")


def test_an_option_that_the_kind_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match=r"tier is 'user', and a.txt is an Audacity"):
        turns_in_text(AUDACITY, "a.txt", tier="user")
