"""A contact sheet: labelled rows of glyphs in one picture, so that the data can be looked at.

penread data show --split pool47 --data-dir data/emnist --out sheet.png
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from penread.glyph import GLYPH_PX

if TYPE_CHECKING:
    from penread.training.data import Subset

_SCALE = 2
_GAP_PX = 4
_LABEL_PX = 40


def contact_sheet(subset: Subset, per_class: int, seed: int = 0) -> Image.Image:
    """Draws random images of each class, dark on light, in two columns of rows that begin with the character.

    Args:
        subset: Where the images come from.
        per_class: Images a class; fewer where the class has fewer.
        seed: Of the choice.

    Returns:
        A grey image.
    """
    rng = np.random.default_rng(seed)
    cell_px = GLYPH_PX * _SCALE + _GAP_PX
    column_px = _LABEL_PX + per_class * cell_px + _GAP_PX
    rows = math.ceil(len(subset.chars) / 2)
    sheet = Image.new("L", (2 * column_px, rows * cell_px + _GAP_PX), 255)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=28)
    for label, char in enumerate(subset.chars):
        x, y = label // rows * column_px, label % rows * cell_px + _GAP_PX
        draw.text((x + _LABEL_PX / 2, y + cell_px / 2), char, fill=0, font=font, anchor="mm")
        of_class = rng.permutation(np.flatnonzero(subset.labels == label))[:per_class]
        for place, index in enumerate(of_class):
            picture = Image.fromarray(255 - subset.images[index])
            sheet.paste(
                picture.resize((GLYPH_PX * _SCALE,) * 2, Image.Resampling.NEAREST),
                (x + _LABEL_PX + place * cell_px, y),
            )
    return sheet
