from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.channels import ChannelSurvey, channel_name, mono, parse_channel
from realtime_nb.audio.decoding import Block
from realtime_nb.errors import ConfigurationError

NOISE = np.random.default_rng(3).normal(0, 0.1, (4, 9_600)).astype(np.float32)
ONE, OTHER = NOISE[0], NOISE[1]


def survey(*channels: object, pieces: int = 1) -> ChannelSurvey:
    block: Block = np.column_stack([np.asarray(channel, np.float32) for channel in channels])
    found = ChannelSurvey(block.shape[1])
    for piece in np.array_split(block, pieces):
        found.take(piece)
    return found


def test_channels_by_number_and_side() -> None:
    assert [parse_channel(given) for given in (0, "1", "left", "right", "mix", None)] == [
        *(0, 1, 0, 1, "mix", None)
    ]
    for wrong in (-1, "-1", "middle", "", True, 1.0):
        with pytest.raises(ConfigurationError, match="number from 0, left, right, or mix"):
            parse_channel(wrong)  # type: ignore[arg-type]
    assert channel_name(1, 2) == "channel 1 (right)"
    assert channel_name(1, 6) == "channel 1"


def test_one_channel_or_their_average() -> None:
    block: Block = np.array([[0.5, -0.25], [0.25, 0.75]], np.float32)
    assert mono(block, 1).tolist() == [-0.25, 0.75]
    assert mono(block, "mix").tolist() == [0.125, 0.5]


# What lossy coding, dither and rounding make of one sound are not two.
@pytest.mark.parametrize(
    ("other", "differ"),
    [
        *((ONE, False), (ONE + 2 / 32_768, False), (ONE + 0.002 * OTHER, False)),
        *((ONE + 0.1 * OTHER, True), (0.5 * ONE, True), (0 * ONE, True), (-ONE, True)),
        (np.roll(ONE, 24), True),
        (np.concatenate([ONE[:-480], OTHER[-480:]]), True),  # for 20 ms at the end only
    ],
)
def test_whether_channels_differ(other: object, differ: bool) -> None:
    assert survey(ONE, other).differ == differ


@pytest.mark.parametrize(
    ("first", "second", "opposite"),
    [
        *((ONE, -ONE, True), (ONE, -0.4 * ONE, True), (ONE, 0.2 * OTHER - ONE, True)),
        (ONE + 0.5, 0.5 - ONE, True),  # a constant in both hides nothing
        *((ONE, ONE, False), (ONE, OTHER, False), (ONE, 0 * ONE, False), (0 * ONE, ONE, False)),
    ],
)
def test_whether_a_mix_would_erase(first: object, second: object, opposite: bool) -> None:
    assert survey(first, second).opposite == opposite


@pytest.mark.parametrize(
    ("channels", "usual"),
    [
        *(((ONE, OTHER), 0), ((0 * ONE, OTHER), 1), ((0.0005 * ONE, OTHER), 1)),
        *(((0.004 * ONE, OTHER), 1), ((0.02 + 0 * ONE, OTHER), 1), ((OTHER + 0.3, ONE), 0)),
        *(((0.1 * ONE, OTHER), 0), ((0 * ONE, 0 * ONE), 0), ((0 * ONE, 0 * ONE, OTHER), 2)),
    ],
)
def test_the_first_channel_that_sounds(channels: tuple[object, ...], usual: int) -> None:
    assert survey(*channels).usual == usual


@given(st.integers(1, 50))
def test_the_cut_into_blocks_does_not_matter(pieces: int) -> None:
    whole, cut = survey(ONE, 0.3 * OTHER - ONE), survey(ONE, 0.3 * OTHER - ONE, pieces=pieces)
    assert (whole.differ, whole.opposite, whole.usual) == (cut.differ, cut.opposite, cut.usual)


def test_what_is_said() -> None:
    many = survey(*NOISE)
    assert many.note(0, asked=False) == (
        "Its 4 channels differ: channel 0 was taken (channel: 0 to 3 or mix)."
    )
    assert many.note(2, asked=True) == ""
    assert "the average was taken." in survey(ONE, -ONE).note("mix", asked=True)
    assert survey(ONE, ONE).note(0, asked=False) == ""
