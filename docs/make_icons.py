"""Makes the PNG icons of the page from its favicon.svg, with Chromium.

python docs/make_icons.py
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import find_chromium

_WEB = Path(__file__).parents[1] / "src" / "penread" / "web"
# Whether the icon fills its square, to be cut to the system's own shape, and how large the letter then is: a
# maskable icon may lose all but a circle of 80 % of its side.
_ICONS = {
    "icon-192": (192, False, 1.0),
    "icon-512": (512, False, 1.0),
    "maskable-512": (512, True, 1.0),
    "apple-touch-icon": (180, True, 1.1),
}
_COLOURS = 32


def main() -> None:
    """Writes ``icons/*.png`` beside the favicon."""
    svg = (_WEB / "favicon.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for name, (side_px, is_full, scale) in _ICONS.items():
            page = chromium.new_page(viewport={"width": side_px, "height": side_px})
            page.set_content(
                f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{_variant(svg, is_full, scale)}"
            )
            shot = Image.open(io.BytesIO(page.screenshot(omit_background=True)))
            page.close()
            # Two colours and their blends: a palette holds them all, in a third of the bytes.
            small = shot.convert("RGB") if is_full else shot
            method = Image.Quantize.MEDIANCUT if is_full else Image.Quantize.FASTOCTREE
            (_WEB / "icons").mkdir(exist_ok=True)
            small.quantize(_COLOURS, method).save(_WEB / "icons" / f"{name}.png", optimize=True)
        chromium.close()


def _variant(svg: str, is_full: bool, scale: float) -> str:
    if is_full:
        svg = svg.replace('rx="7"', 'rx="0"')
    return re.sub(
        "<path ", f'<path transform="translate(16 16) scale({scale}) translate(-17 -18)" ' if is_full else "<path ", svg
    )


if __name__ == "__main__":
    main()
