"""Takes the pictures of the page that the documents show: three widths, light and dark, drawn on with the mouse.

python docs/take_screenshot.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import find_chromium
from tests.conftest import ROOT, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

_HERE = Path(__file__).parent / "page"
# What is drawn where: an example of the page's gallery.
_WIDTHS = {"phone": (390, 844, "g"), "tablet": (768, 1024, "HELLO"), "desk": (1180, 760, "R")}


def draw(page: Page, strokes: list[list[list[float]]]) -> None:
    """Draws strokes in units of the canvas side with the mouse."""
    box = page.locator("#canvas").bounding_box()
    if box is None:
        raise SystemExit("The page shows no canvas.")
    for stroke in strokes:
        path = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*path[0])
        page.mouse.down()
        for x, y in path[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
        page.wait_for_selector("#answer[aria-busy=false]")


def main() -> None:
    """Draws, asks why, and writes docs/page/*.png."""
    examples = json.loads((ROOT / "src" / "penread" / "web" / "examples.json").read_text("utf-8"))
    strokes = {example["text"]: example["strokes"] for example in examples}
    _HERE.mkdir(exist_ok=True)
    with serving() as (address, _), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for name, (width, height, text) in _WIDTHS.items():
            for scheme in ("light", "dark"):
                page = chromium.new_page(
                    viewport={"width": width, "height": height}, locale="en-GB", color_scheme=scheme
                )
                page.goto(address, wait_until="networkidle")
                draw(page, strokes[text])
                expect(page.locator("#answer")).to_have_attribute("data-state", "text" if len(text) > 1 else "ready")
                page.locator("#why").click()
                expect(page.locator("#why")).to_have_attribute("aria-pressed", "true")
                page.locator("#examples").scroll_into_view_if_needed()
                expect(page.locator("#examples button").last).to_be_attached()
                page.evaluate("scrollTo(0, 0)")
                page.mouse.move(2, 2)
                # A bar grows, a button changes its colour.
                page.wait_for_timeout(500)
                page.screenshot(path=_HERE / f"{name}-{scheme}.png", full_page=True)
                page.close()
        chromium.close()


if __name__ == "__main__":
    main()
