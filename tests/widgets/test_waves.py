from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.testing import tone
from realtime_nb.widgets.waves import POINT_BYTES, Outline, outline


def points(data: bytes | bytearray) -> list[list[int]]:
    return np.frombuffer(bytes(data), "<i2").reshape(-1, 2).tolist()


def test_lowest_and_highest_of_each_10_ms() -> None:
    pcm = np.zeros(720, "<i2")
    pcm[[10, 250, 719]] = [5, -7, 32_767]
    made = Outline()
    made.push(pcm.tobytes())
    assert points(made.points) == [[0, 5], [-7, 0], [0, 32_767]]
    assert made.duration_s == pytest.approx(0.03)


@given(cuts=st.lists(st.integers(0, 600), max_size=20))
def test_however_it_is_cut(cuts: list[int]) -> None:
    pcm = tone(100)
    whole, pieces = Outline(), Outline()
    whole.push(pcm)
    at = 0
    for cut in [*cuts, len(pcm) // 2]:
        pieces.push(pcm[2 * at : 2 * (at + cut)])
        at += cut
    assert pieces.points == whole.points
    assert len(whole.points) == 10 * POINT_BYTES


def test_whole_audio_has_the_same_outline_and_keeps_its_end() -> None:
    pcm = tone(105)
    made = Outline()
    made.push(pcm)
    whole = outline(samples_from_pcm(pcm))
    assert whole[: 10 * POINT_BYTES] == bytes(made.points)
    assert len(whole) == 11 * POINT_BYTES
    assert outline(np.zeros(0, np.float32)) == b""
    assert points(outline(np.array([1.5, -1.5], np.float32))) == [[-32_768, 32_767]]


@given(cut=st.integers(0, 2_400))
def test_cut_off_it_goes_on_as_if_it_were_one(cut: int) -> None:
    pcm = tone(100)
    whole, first = Outline(), Outline()
    whole.push(pcm)
    first.push(pcm[: 2 * cut])
    second, begun_s = first.cut_off()
    assert begun_s == pytest.approx(cut / 24_000 - max(0, cut // 240 - 1) * 0.01)
    second.push(pcm[2 * cut :])
    kept = len(first.points) - POINT_BYTES if first.count else 0
    assert first.points[:kept] + second.points == whole.points
    assert first.duration_s == first.count / 100
