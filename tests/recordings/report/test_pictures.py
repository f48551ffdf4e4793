"""The pictures of a report."""

from __future__ import annotations

import re


def test_pictures_take_the_colour_of_the_page(page: str) -> None:
    pictures = re.findall(r'<svg role="img".*?</svg>', page, re.DOTALL)

    assert len(pictures) == 4
    assert all("currentColor" in picture and "#010203" not in picture for picture in pictures)
    assert "<text" in pictures[0]  # words that can be found and read aloud


def test_the_users_wave_stands_out_in_every_theme(page: str) -> None:
    timeline = re.findall(r'<svg role="img".*?</svg>', page, re.DOTALL)[0]
    assert "fill: color-mix(in srgb, #1A7FC1 60%, currentColor)" in timeline
