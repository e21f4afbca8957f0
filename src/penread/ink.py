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
# It comes down on eighths of a pixel, so that its 64 pictures can be made beforehand.
_PHASES = 8
_REACH_PX = PEN_PX / 2 + 0.5
# Fewer are drawn sooner than those that are there twice are found.
_MANY_PLACES = 1_000


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
        path = _resampled((points - (low + high) / 2) * scale + GRID_PX / 2, [len(stroke) for stroke in self.strokes])
        places = np.floor(path * _PHASES + 0.5).astype(np.int64)
        if len(places) > _MANY_PLACES:
            # Strokes that were gone over again and again put the pen down in the same places: once will do.
            been = np.zeros((_PHASES * GRID_PX) ** 2, dtype=np.bool_)
            been[places[:, 1] * (_PHASES * GRID_PX) + places[:, 0]] = True
            rows, columns = np.divmod(np.flatnonzero(been), _PHASES * GRID_PX)
            places = np.stack([columns, rows], axis=1)
        return from_coverage(_coverage(places))


def _resampled(points: NDArray[np.float64], lengths: list[int]) -> NDArray[np.float64]:
    """Puts points along polylines at most ``_STEP_PX`` apart.

    Args:
        points: The points of all polylines, one after the other, float (points, 2).
        lengths: How many points each of them has.
    """
    ends = np.cumsum(lengths) - 1
    steps = np.diff(points, axis=0)
    pieces = np.ceil(np.hypot(steps[:, 0], steps[:, 1]) / _STEP_PX).astype(np.int64)
    # From one polyline to the next the pen is lifted.
    pieces[ends[:-1]] = 0
    segment = np.repeat(np.arange(len(pieces)), pieces)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    between = points[segment] + steps[segment] * (within / pieces[segment])[:, None]
    return np.concatenate([between, points[ends]])


def _pen() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Makes the pen: for each phase of a place, the pixels around it and how far off their middles are, squared.

    Returns:
        Pixels, as steps in the grid from the pixel that the place is in, and squares, both (phases, pixels).
    """
    phase = np.arange(_PHASES) / _PHASES
    pixels = np.floor(phase - _REACH_PX).astype(np.int64)[:, None] + np.arange(int(np.ceil(2 * _REACH_PX)) + 1)
    squared = (pixels + 0.5 - phase[:, None]) ** 2
    steps = (pixels[:, None, :, None] * GRID_PX + pixels[None, :, None, :]).reshape(_PHASES**2, -1)
    squares = (squared[:, None, :, None] + squared[None, :, None, :]).reshape(_PHASES**2, -1)
    # The corners are out of reach: the nearest pixels, as many as any phase reaches.
    nearest = np.argsort(squares, axis=1, kind="stable")[:, : (squares < _REACH_PX**2).sum(axis=1).max()]
    return np.take_along_axis(steps, nearest, axis=1), np.take_along_axis(squares, nearest, axis=1)


_PEN_PIXELS, _PEN_SQUARED = _pen()


def _coverage(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draws a round pen at each place: float (56, 56), the part of each pixel that is ink.

    Args:
        places: x and y, in eighths of a pixel, int (places, 2). The pen is within the grid at each of them.
    """
    x, y = places[:, 0], places[:, 1]
    phase = (y % _PHASES) * _PHASES + x % _PHASES
    pixels = _PEN_PIXELS[phase] + (y // _PHASES * GRID_PX + x // _PHASES)[:, None]
    nearest = np.full(GRID_PX * GRID_PX, np.inf)
    np.minimum.at(nearest, pixels.ravel(), _PEN_SQUARED[phase].ravel())
    return np.asarray(np.clip(_REACH_PX - np.sqrt(nearest), 0, 1)).reshape(GRID_PX, GRID_PX)
