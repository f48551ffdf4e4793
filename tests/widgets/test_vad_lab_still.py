from __future__ import annotations

import re
from xml.etree import ElementTree

from realtime_nb.widgets.vad_lab_rows import Turns
from realtime_nb.widgets.vad_lab_still import StillRow, lab_svg

COLUMNS = 620
PATHS = "{http://www.w3.org/2000/svg}path"


def test_turns_lie_where_they_were_with_padding_and_window_lighter() -> None:
    turns = [(0, 1_000, 3_000, 4_000), (5_000, None, None, 6_000)]
    svg = ElementTree.fromstring(lab_svg([StillRow("eager", "ghost", False, turns)], 6_200))
    whole, speech = svg.iter(PATHS)
    assert whole.get("d") == "M0 0h400M500 0h100"  # 10 ms to a column
    assert speech.get("d") == "M100 0h200"
    assert float(whole.get("opacity", 1)) < float(speech.get("opacity", 0))
    assert "eager" in "".join(svg.itertext())


def test_what_is_not_to_be_believed_is_grey_and_names_are_no_markup() -> None:
    rows = [
        StillRow("<b>&", "ghost", True, [(0, 0, 9, 9)]),
        StillRow("server", "server", False, []),
    ]
    text = lab_svg(rows, 100)
    assert "<b>" not in text
    assert re.findall(r'stroke="(#\w+)"', text) == ["#878787", "#878787"]


def test_a_long_session_is_no_larger() -> None:
    turns: Turns = [(n * 100, n * 100 + 10, n * 100 + 50, n * 100 + 90) for n in range(100_000)]
    rows = [StillRow(str(n), "ghost", False, turns) for n in range(10)]
    assert len(lab_svg(rows, 1e7)) < 200_000
    assert lab_svg([], 1e7) == lab_svg(rows, 0) == ""
