"""Takes the README's picture of the page: an R drawn with the mouse, and the answer.

python docs/take_screenshot.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import find_chromium
from tests.conftest import serving
from tests.made import arc

_R = [
    [[150.0, 330.0], [148.0, 260.0], [152.0, 180.0], [155.0, 95.0]],
    [[120.0, 110.0], *arc(200, 150, 80, 62, -1.3, 1.3), [165.0, 215.0], [190.0, 230.0], [235.0, 280.0], [285.0, 335.0]],
]


def main() -> None:
    """Draws, predicts, and writes docs/page.png."""
    with serving() as (address, _), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1120, "height": 720}, locale="en-GB")
        page.goto(address)
        box = page.locator("#canvas").bounding_box()
        if box is None:
            raise SystemExit("The page shows no canvas.")
        scale = box["width"] / 420
        for stroke in _R:
            path = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in stroke]
            page.mouse.move(*path[0])
            page.mouse.down()
            for x, y in path[1:]:
                page.mouse.move(x, y)
            page.mouse.up()
        page.locator("#predict").click()
        expect(page.locator("#answer")).to_have_attribute("data-state", "ready")
        page.mouse.move(5, 5)
        page.wait_for_timeout(500)
        page.screenshot(path=Path(__file__).with_name("page.png"))
        chromium.close()


if __name__ == "__main__":
    main()
