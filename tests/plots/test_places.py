from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.plots.places import Box, Room
from tests.tried import tried

INSIDE = (0.0, 0.0, 300.0, 200.0)
spots = st.tuples(st.floats(0, 300), st.floats(0, 200))


def covers(one: Box, other: Box) -> bool:
    """Whether two boxes have an area in common."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 1e-9 and height > 1e-9


def around(x: float, y: float, radius: float = 3.0) -> Box:
    return x - radius, y - radius, x + radius, y + radius


@settings(max_examples=tried(100, in_ci=40), deadline=None)
@given(st.lists(spots, min_size=1, max_size=40), st.floats(5, 120), st.floats(5, 20))
def test_labels_cover_neither_points_nor_lines_nor_each_other(
    points: list[tuple[float, float]], width: float, height: float
) -> None:
    corners = np.array([(10.0, 190.0), (10.0, 100.0), (150.0, 100.0), (150.0, 20.0)])
    room = Room.among(INSIDE, [(x, y, 3.0) for x, y in points], [corners])

    labels = [found[0] for x, y in points if (found := room.place(around(x, y), (width, height)))]

    lines = [(10.0, 100.0, 10.0, 190.0), (10.0, 100.0, 150.0, 100.0), (150.0, 20.0, 150.0, 100.0)]
    drawn = [around(x, y) for x, y in points]
    drawn += [(x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5) for x0, y0, x1, y1 in lines]
    for number, label in enumerate(labels):
        assert min(label[0], label[1]) >= 0
        assert label[2] <= 300
        assert label[3] <= 200
        assert not any(covers(label, other) for other in [*drawn, *labels[:number]])


def test_a_point_alone_is_named_right_above_it() -> None:
    placed = Room(INSIDE).place(around(100, 100), (50, 10))
    assert placed is not None
    (left, bottom, right, top), lead = placed
    assert 100 < left < 110
    assert 100 < bottom < 110
    assert (right - left, top - bottom) == (50, 10)
    assert lead is None  # it is beside its point


def test_a_label_that_has_to_go_aside_gets_a_line_to_it() -> None:
    wall = [(x, y, 4.0) for x in range(80, 125, 5) for y in range(85, 120, 5)]
    room = Room.among(INSIDE, wall, [])
    placed = room.place(around(100, 100), (30, 10))
    assert placed is not None
    box, lead = placed
    assert not any(covers(box, around(x, y, 4)) for x, y, _ in wall)
    assert lead is not None
    (x0, y0), (x1, y1) = lead
    assert np.hypot(x0 - 100, y0 - 100) < 4  # from the point …
    assert box[0] <= x1 <= box[2]  # … to the label
    assert box[1] <= y1 <= box[3]


def test_where_there_is_no_room_there_is_no_label() -> None:
    everywhere = [(float(x), float(y), 5.0) for x in range(0, 301, 8) for y in range(0, 201, 8)]
    assert Room.among(INSIDE, everywhere, []).place(around(100, 100), (30, 10)) is None
    assert Room(INSIDE).place(around(100, 100), (301, 10)) is None
