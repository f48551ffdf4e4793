from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.plots import style
from realtime_nb.plots.still import timeline_svg
from tests.plots import sessions
from tests.plots.test_timeline import crowded_hour

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def said(svg: str) -> tuple[str, str]:
    root = ElementTree.fromstring(svg)
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    return title.text or "", description.text or ""


def test_it_says_in_words_what_it_shows() -> None:
    svg = timeline_svg(sessions.timeline())

    assert ElementTree.fromstring(svg).get("role") == "img"
    assert said(svg) == (
        "Timeline of 20.0 s",
        "3 stretches of the user's speech; 1 of them from the offline detector; "
        "5 responses; 1 of them cut short; 1 failed; "
        "4.0 s of the agent's audio not heard; 2 function calls (book, check_slots); 3 errors; "
        "2 labels.",
    )


def test_it_shows_every_lane() -> None:
    svg = timeline_svg(sessions.timeline())

    assert [text for text in texts(svg) if not text[0].isdigit()] == [
        "labels",
        "I wasn't finished",
        "that was not me",
        "you",
        "agent",
        "responses",
        "tools",
        "check_slots",
        "book",
    ]
    for colour in (
        style.USER_COLOUR,
        style.SPEECH_COLOUR,
        style.AGENT_COLOUR,
        style.NEUTRAL_COLOUR,
        style.CALL_COLOUR,
        style.ERROR_COLOUR,
    ):
        assert f'stroke="{colour}"' in svg


@pytest.mark.parametrize(
    ("part", "colour"),
    [
        ("user", style.USER_COLOUR),
        ("padded", style.SPEECH_COLOUR),
        ("detected", style.SPEECH_COLOUR),
        ("unheard", style.AGENT_COLOUR),
        ("responses", style.NEUTRAL_COLOUR),
        ("calls", style.CALL_COLOUR),
        ("errors", style.ERROR_COLOUR),
        ("labels", "currentColor"),
    ],
)
def test_each_part_is_drawn(part: str, colour: str) -> None:
    def strokes(data: TimelineData) -> int:
        return timeline_svg(data).count(f'stroke="{colour}"')

    whole = sessions.timeline()
    assert strokes(replace(whole, **{part: ()})) < strokes(whole)  # type: ignore[arg-type]


def test_spans_are_where_they_should_be() -> None:
    svg = timeline_svg(TimelineData(10.0, padded=[(2.5, 5.0)]), width_px=488)
    (path,) = re.findall(rf'd="(M[^"]*)" stroke="{style.SPEECH_COLOUR}"', svg)
    assert path == "M100 0h100"  # of 400 columns


def test_one_sample_of_an_hour_is_seen() -> None:
    hour = np.zeros(3_600 * 24_000, np.float32)
    hour[43_200_007] = 0.9

    svg = timeline_svg(TimelineData(3_600.0, user=[PlacedAudio(0.0, hour)]))

    (path,) = re.findall(rf'd="(m[^"]*)" stroke="{style.USER_COLOUR}"', svg)
    steps = [tuple(map(int, step)) for step in re.findall(r"m(-?\d+) ?(-?\d+)v(\d+)", path)]
    heights = [height for *_, height in steps]
    assert heights.index(max(heights)) == len(heights) // 2
    assert max(heights) == 44  # half the lane, in half pixels
    assert sorted(heights)[-2] == 1


def test_an_hour_is_small() -> None:
    svg = timeline_svg(crowded_hour())
    assert len(svg.encode()) <= 40_000
    assert len(timeline_svg(crowded_hour(), width_px=1_600).encode()) <= 40_000


def test_texts_are_escaped_and_long_ones_shortened() -> None:
    nasty = '<script>alert("x")</script>\x00\x1b&'
    data = TimelineData(
        10.0, calls=[(1.0, 2.0, nasty)], labels=[(1.0, nasty), (6.0, "]]> -- ünï\ud800")]
    )

    svg = timeline_svg(data)

    assert "<script" not in svg
    assert '<script>alert("x")</scr…' in texts(svg)
    assert "]]> -- ünï\ufffd" in texts(svg)
    assert nasty[:20] in said(svg)[1]


def test_nothing_comes_from_elsewhere() -> None:
    svg = timeline_svg(sessions.timeline())
    assert svg.count("http") == 1  # the name of the format
    assert "href" not in svg
    assert "url(" not in svg
    assert "@import" not in svg


def test_text_takes_the_colour_of_its_page() -> None:
    root = ElementTree.fromstring(timeline_svg(sessions.timeline()))
    assert root.get("fill") == "currentColor"
    assert all(element.get("fill") is None for element in root.iter(f"{SVG}text"))


def test_names_do_not_cover_each_other() -> None:
    calls = [(0.1 * n, 0.1 * n + 0.05, "check_availability") for n in range(8)]
    svg = timeline_svg(TimelineData(20.0, calls=calls))
    assert texts(svg).count("check_availability") == 1
    assert "check_slots" not in texts(timeline_svg(crowded_hour()))


def test_nothing_at_all_can_be_drawn() -> None:
    svg = timeline_svg(TimelineData(0.0))
    assert said(svg) == ("Timeline of 0.0 s", "0 stretches of the user's speech.")
    assert "you" in texts(svg)
