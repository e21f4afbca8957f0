"""Ink, strokes as a pen leaves them, and how it is drawn as a glyph.

The pen of the glyph has one width whatever the size of the drawing, EMNIST's own: a character drawn small in a
corner and one that fills the page give the same glyph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from penread.errors import InputError
from penread.glyph import GRID_PX, LONG_SIDE_PX, PEN_PX, blank_glyph, from_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Coordinates are within this of zero.
MAX_COORDINATE = 1e6

# What is smaller, all in all, is a dot: coordinates may be so far from zero that they are no more exact.
_MIN_EXTENT = 1e-9
# The pen comes down as a disc this often along a stroke, on the grid; its edge is then true to 0.02 pixels.
_STEP_PX = 0.5


@dataclass(frozen=True, eq=False)
class Ink:
    """Strokes: polylines in any unit, y downward.

    Attributes:
        strokes: A polyline for each stroke, float (points, 2), x and y. Strokes without points are left out.
    """

    strokes: tuple[NDArray[np.float64], ...]

    def __init__(self, strokes: Sequence[Sequence[Sequence[float]]] | Sequence[NDArray[np.generic]]) -> None:
        """Takes strokes in any nesting of sequences or arrays that has the shape ``strokes[i][j] == (x, y)``.

        Raises:
            InputError: The shape is another, or a coordinate isn't finite or is beyond ``MAX_COORDINATE``.
        """
        polylines = []
        for number, stroke in enumerate(strokes):
            try:
                points = np.asarray(stroke, dtype=np.float64)
            except (TypeError, ValueError, OverflowError) as error:
                raise InputError(f"Stroke {number} is no list of points [x, y].") from error
            if points.size == 0:
                continue
            if points.ndim != 2 or points.shape[1] != 2:
                raise InputError(f"Stroke {number} is no list of points [x, y]: its shape is {points.shape}.")
            if not (np.abs(points) <= MAX_COORDINATE).all():
                raise InputError(f"Stroke {number} has a coordinate that is not within ±{MAX_COORDINATE:,.0f}.")
            polylines.append(points)
        object.__setattr__(self, "strokes", tuple(polylines))

    def glyph(self) -> NDArray[np.uint8]:
        """Draws the ink as a glyph, uint8 (28, 28), the way EMNIST's glyphs look."""
        if not self.strokes:
            return blank_glyph()
        points = np.concatenate(self.strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        extent = float((high - low).max())
        # The strokes' long side and the width of the pen make the character's long side. A dot has no extent.
        scale = (LONG_SIDE_PX - PEN_PX) / extent if extent > _MIN_EXTENT else 0.0
        middle = (low + high) / 2
        path = np.concatenate([_resample((stroke - middle) * scale + GRID_PX / 2) for stroke in self.strokes])
        # Strokes that were gone over again and again put the pen down in the same places, to an eighth of a
        # pixel: once will do.
        places = np.floor(path * 8 + 0.5).astype(np.int64)
        rows, columns = np.divmod(np.unique(places[:, 1] * (8 * GRID_PX) + places[:, 0]), 8 * GRID_PX)
        return from_coverage(_coverage(np.stack([columns, rows], axis=1) / 8))


def _resample(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    """Puts points along a polyline at most ``_STEP_PX`` apart."""
    if len(stroke) == 1:
        return stroke
    starts, steps = stroke[:-1], np.diff(stroke, axis=0)
    pieces = np.ceil(np.hypot(steps[:, 0], steps[:, 1]) / _STEP_PX).astype(np.int64)
    segment = np.repeat(np.arange(len(pieces)), pieces)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    points = starts[segment] + steps[segment] * (within / pieces[segment])[:, None]
    return np.concatenate([points, stroke[-1:]])


def _coverage(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws a round pen at each point: float (56, 56), the part of each pixel that is ink."""
    reach = PEN_PX / 2 + 0.5
    window = np.arange(int(np.ceil(2 * reach)) + 1)
    corner = np.floor(path - reach).astype(np.int64)
    columns = np.clip(corner[:, 0, None] + window, 0, GRID_PX - 1)
    rows = np.clip(corner[:, 1, None] + window, 0, GRID_PX - 1)
    squared = ((columns + 0.5 - path[:, 0, None]) ** 2)[:, None, :] + ((rows + 0.5 - path[:, 1, None]) ** 2)[:, :, None]
    nearest = np.full(GRID_PX * GRID_PX, np.inf)
    np.minimum.at(nearest, (rows[:, :, None] * GRID_PX + columns[:, None, :]).ravel(), squared.ravel())
    return np.asarray(np.clip(reach - np.sqrt(nearest), 0, 1)).reshape(GRID_PX, GRID_PX)
