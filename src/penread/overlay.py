"""A page with what was read drawn on it, to look at: a box around each character, and the answer above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from penread.image import picture
from penread.ink import Ink
from penread.recognizer import PAGE_PX

if TYPE_CHECKING:
    from penread.image import ImageSource
    from penread.prediction import Box, Character, Reading

#: The longer side of the picture, at most; that of ink, always.
LONGER_SIDE_PX = PAGE_PX

# Colours that people with any kind of sight tell apart, dark enough for white letters on them.
_SURE, _UNSURE, _REJECTED = "#0b5fa5", "#a65300", "#b00040"
# From this confidence on, the page of the service says "almost certain", too.
_SURE_FROM = 0.9
_REJECTED_MARK = "?"
# The label's height, of the height of the characters.
_LABEL = 0.55
_SMALLEST_LABEL_PX, _LARGEST_LABEL_PX = 10, 96
# Ink is drawn with a margin and a pen of these parts of its longer side.
_MARGIN, _PEN = 0.04, 0.004


def draw(source: Ink | ImageSource, reading: Reading) -> Image.Image:
    """Draws a reading on its page.

    A character has a blue box and label where its confidence is 90 % or more, else brown; what was rejected has a red
    one, and a question mark. Labels are white on the colour, and colour has a white edge: they read on any paper.

    Args:
        source: What was read.
        reading: What ``Recognizer.read`` gave for it.

    Returns:
        An RGB picture, its longer side at most ``LONGER_SIDE_PX``.

    Raises:
        InputError: The source can't be read.
    """
    if isinstance(source, Ink):
        page, origin, scale = _inked(source)
    else:
        shown, size = picture(source, LONGER_SIDE_PX)
        page = Image.fromarray(shown).convert("RGB")
        origin, scale = np.zeros(2), np.array(page.size) / size
    characters = [each for line in reading.lines for each in line.characters]
    if not characters:
        return page
    heights = [(each.box.bottom - each.box.top) * scale[1] for each in characters]
    label_px = round(min(max(float(np.median(heights)) * _LABEL, _SMALLEST_LABEL_PX), _LARGEST_LABEL_PX))
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(label_px)
    placed = [(each, _placed(each.box, origin, scale)) for each in characters]
    # All boxes first: no box crosses out a label.
    for character, edges in placed:
        _box(pen, edges, _colour(character), width=max(label_px // 12, 1))
    for character, edges in placed:
        _label(pen, page.width, edges, character.char or _REJECTED_MARK, _colour(character), font)
    return page


def _colour(character: Character) -> str:
    if character.rejected is not None:
        return _REJECTED
    return _SURE if character.confidence >= _SURE_FROM else _UNSURE


def _inked(ink: Ink) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    """Draws strokes on white paper; gives it, the point of the ink at its corner, and pixels a unit (x, y)."""
    points = np.concatenate([np.zeros((0, 2)), *ink.strokes])
    if len(points) == 0:
        return Image.new("RGB", (LONGER_SIDE_PX, LONGER_SIDE_PX), "white"), np.zeros(2), np.ones(2)
    low, high = points.min(axis=0), points.max(axis=0)
    margin_px = _MARGIN * LONGER_SIDE_PX
    scale = (LONGER_SIDE_PX - 2 * margin_px) / max(float((high - low).max()), 1e-9)
    origin = low - margin_px / scale
    size = np.ceil((high - low) * scale + 2 * margin_px).astype(int)
    page = Image.new("RGB", (int(size[0]), int(size[1])), "white")
    pen, width = ImageDraw.Draw(page), round(_PEN * LONGER_SIDE_PX)
    for stroke in ink.strokes:
        path = [(float(x), float(y)) for x, y in (stroke - origin) * scale]
        pen.line(path, fill="black", width=width, joint="curve")
        for x, y in (path[0], path[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill="black")
    return page, origin, np.array([scale, scale])


def _placed(box: Box, origin: np.ndarray, scale: np.ndarray) -> tuple[float, float, float, float]:
    left, top = (np.array([box.left, box.top]) - origin) * scale
    right, bottom = (np.array([box.right, box.bottom]) - origin) * scale
    # A dot of ink has no extent of its own.
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _box(pen: ImageDraw.ImageDraw, edges: tuple[float, float, float, float], colour: str, width: int) -> None:
    left, top, right, bottom = edges
    # Within the white edge the colour, and from there to the ink a gap of the same width.
    for out, line, inside in ((2 * width + 1, "white", 1), (2 * width, colour, width)):
        pen.rectangle((left - out, top - out, right + out, bottom + out), outline=line, width=inside)


def _label(
    pen: ImageDraw.ImageDraw,
    page_px: int,
    edges: tuple[float, float, float, float],
    text: str,
    colour: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Writes a label above a box; over its upper part where the page ends above it."""
    ink = pen.textbbox((0, 0), text, font=font)
    pad = max(round((ink[3] - ink[1]) / 6), 2)
    width, height = ink[2] - ink[0] + 2 * pad, ink[3] - ink[1] + 2 * pad
    left = min(max((edges[0] + edges[2] - width) / 2, 0), max(page_px - width, 0))
    top = max(edges[1] - height - pad, 0)
    pen.rectangle((left, top, left + width, top + height), fill=colour, outline="white")
    pen.text((left + pad - ink[0], top + pad - ink[1]), text, fill="white", font=font)
