"""Where labels of points can be written so that they cover nothing and no other label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Box", "Lead", "Room"]

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""
Lead = tuple[tuple[float, float], tuple[float, float]]
"""Both ends of a line."""

_SIDES = ((1, 1), (1, 0), (1, -1), (-1, 1), (-1, 0), (-1, -1), (0, 1), (0, -1))
"""On which side of a point its label is tried, from the best: to the right and up."""
_STEPS = 6
"""At how many distances from its point a label is tried."""
_APART_PX = 2.0
"""Between a label and what else is drawn."""
_CLOSE_PX = 12.0
"""A label that is farther from its point needs a line to it."""


@dataclass(slots=True)
class Room:
    """The inside of axes, and what is drawn there.

    Args:
        inside: Where labels may be.
        drawn: What they may not cover.
    """

    inside: Box
    drawn: list[Box] = field(default_factory=list)
    labels: list[Box] = field(default_factory=list)

    def place(self, point: Box, size: tuple[float, float]) -> tuple[Box, Lead | None] | None:
        """Returns the nearest free place for a label and, if it is aside, the ends of a line from
        the point to it; both are taken from then on.

        Args:
            point: What is labelled, as large as it is drawn.
            size: Width and height of the label.

        Returns:
            None if there is no free place near enough to be seen as the point's.
        """
        for box in _around(point, size):
            if not self._is_inside(box) or _covers(box, [*self.drawn, *self.labels]):
                continue
            lead = _lead(point, box)
            along = _along(lead) if lead else []
            if any(_covers(one, self.labels) for one in along):
                continue
            self.labels.append(box)
            self.drawn += along
            return box, lead
        return None

    def _is_inside(self, box: Box) -> bool:
        left, bottom, right, top = self.inside
        return box[0] >= left and box[1] >= bottom and box[2] <= right and box[3] <= top

    @classmethod
    def among(
        cls,
        inside: Box,
        points: Iterable[tuple[float, float, float]],
        lines: Iterable[npt.NDArray[np.float64]],
    ) -> Room:
        """Returns the room among points (x, y and radius) and lines of horizontal and vertical
        parts, of which each has corners of shape (n, 2)."""
        drawn = [(x - radius, y - radius, x + radius, y + radius) for x, y, radius in points]
        return cls(inside, [*drawn, *(part for line in lines for part in _parts(line))])


def _covers(box: Box, others: list[Box]) -> bool:
    """Tells whether a box lies on one of others, or as good as that."""
    if not others:
        return False
    x0, y0, x1, y1 = np.asarray(others, float).T
    left, bottom, right, top = box
    wide = (x0 < right + _APART_PX) & (x1 > left - _APART_PX)
    return bool((wide & (y0 < top + _APART_PX) & (y1 > bottom - _APART_PX)).any())


def _lead(point: Box, label: Box) -> Lead | None:
    """Returns the ends of a line to a label that isn't close to its point."""
    x, y = (point[0] + point[2]) / 2, (point[1] + point[3]) / 2
    radius = (point[2] - point[0]) / 2
    end_x, end_y = min(max(x, label[0]), label[2]), min(max(y, label[1]), label[3])
    length = math.hypot(end_x - x, end_y - y)
    if length <= radius + _CLOSE_PX:
        return None
    share = radius / length
    return (x + share * (end_x - x), y + share * (end_y - y)), (end_x, end_y)


def _along(lead: Lead) -> list[Box]:
    """Returns points of a line, near each other, the label's own end left out."""
    (x0, y0), (x1, y1) = lead
    count = max(1, int(math.hypot(x1 - x0, y1 - y0) / 3))
    shares = [n / count for n in range(count)]
    places = [(x0 + share * (x1 - x0), y0 + share * (y1 - y0)) for share in shares]
    return [(x, y, x, y) for x, y in places]


def _around(point: Box, size: tuple[float, float]) -> Iterator[Box]:
    """Yields places around a point, from the nearest."""
    (x0, y0, x1, y1), (width, height) = point, size
    for step in range(_STEPS):
        gap = (0.2 + step * 0.6) * height
        for across, up in _SIDES:
            # Beside a point its label is at its height, over and under it in its middle.
            left = {1: x1 + gap, 0: (x0 + x1 - width) / 2, -1: x0 - gap - width}[across]
            bottom = {1: y1 + gap, 0: (y0 + y1 - height) / 2, -1: y0 - gap - height}[up]
            if across and up:  # at a corner both would be aside
                left -= across * min(gap, height * 0.2)
                bottom -= up * min(gap, height * 0.2)
            yield left, bottom, left + width, bottom + height


def _parts(line: npt.NDArray[np.float64]) -> Iterator[Box]:
    for (x0, y0), (x1, y1) in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
        yield min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1
