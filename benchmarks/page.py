"""Draws real characters on the page with the mouse, and tells how they are read, where, and how soon.

    python benchmarks/page.py chars74k_hnd.json [COUNT]

Chromium draws COUNT drawings (500 where it isn't said), evenly over the file, on the page of a server started here:
once they are read on the server, once on the device. The API gets the strokes of the file itself. Times are from the
end of a stroke to the new answer on the page; the first drawing isn't counted, since it starts what reads. The weight
is what the first load of the page transfers, without what reads on the device.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser import find_chromium
from tests.conftest import serving

from penread import Ink, Recognizer
from penread.charset import stands_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

_DRAWN_PX = 240

# Remembers when a pointer was lifted, and how long the next answer took to be there.
_WATCH = """() => {
    window.times = [];
    let lifted = null;
    document.getElementById("canvas").addEventListener("pointerup", () => { lifted = performance.now(); });
    new MutationObserver(() => {
        if (lifted === null || document.getElementById("answer").getAttribute("aria-busy") !== "false") return;
        window.times.push(performance.now() - lifted);
        lifted = null;
    }).observe(document.getElementById("answer"), { attributes: true, attributeFilter: ["aria-busy"] });
}"""


def draw(page: Page, strokes: list[list[list[float]]]) -> None:
    """Draws strokes with the mouse, and waits for the answer to each."""
    box = page.locator("#canvas").bounding_box()
    if box is None:
        raise SystemExit("The page shows no canvas.")
    points = np.concatenate([np.array(stroke, dtype=float) for stroke in strokes])
    low, extent = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-6)
    for stroke in strokes:
        path = (np.array(stroke, dtype=float) - low) * (_DRAWN_PX / extent) + (box["x"] + 90, box["y"] + 90)
        page.mouse.move(*path[0])
        page.mouse.down()
        for x, y in path[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
        page.wait_for_selector("#answer[aria-busy=false]")


def read(page: Page) -> str | None:
    """Gives the character that the page shows; None for a text or what is rejected."""
    answer = page.locator("#answer")
    return page.locator("#char").inner_text() if answer.get_attribute("data-state") == "ready" else None


def through_the_page(
    browser: Browser, address: str, drawings: list[dict[str, Any]], where: str
) -> Iterator[tuple[str | None, list[float]]]:
    """Draws and clears each drawing; gives what was read, and the times of the answers in ms."""
    page = browser.new_page(viewport={"width": 1100, "height": 800}, locale="en-GB")
    page.goto(address, wait_until="networkidle")
    page.locator("#where").select_option(where)
    draw(page, drawings[0]["strokes"])
    page.wait_for_selector("#answer:not([data-state=empty])[aria-busy=false]", timeout=60_000)
    page.evaluate(_WATCH)
    for each in track(drawings, f"on the {where}"):
        page.locator("#clear").click()
        page.evaluate("window.times.length = 0")
        draw(page, each["strokes"])
        yield read(page), page.evaluate("window.times")
    page.close()


def first_load(browser: Browser, address: str) -> tuple[int, float]:
    """Gives what the first load of the page transfers, in bytes, and after how many ms it can be drawn on."""
    page = browser.new_page()
    page.goto(address, wait_until="networkidle")
    script = """() => {
        const [visit] = performance.getEntriesByType("navigation");
        const files = performance.getEntriesByType("resource");
        return [[visit, ...files].reduce((sum, each) => sum + each.transferSize, 0), visit.domContentLoadedEventEnd];
    }"""
    weight, ready_ms = page.evaluate(script)
    page.close()
    return int(weight), float(ready_ms)


def main() -> None:
    """Prints accuracy, agreement and times."""
    drawings = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    count = min(int(sys.argv[2]) if len(sys.argv) > 2 else 500, len(drawings))
    drawings = [drawings[index] for index in np.linspace(0, len(drawings) - 1, count).round().astype(int)]
    recognizer = Recognizer()
    class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
    labels = [class_of[each["label"]] for each in drawings]
    results: dict[str, list[str | None]] = {
        "API": [recognizer.predict(Ink(each["strokes"])).char for each in drawings],
    }
    times: dict[str, list[float]] = {}
    with serving() as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        weight, ready_ms = first_load(browser, address)
        for where in ("server", "device"):
            drawn = list(through_the_page(browser, address, drawings, where))
            name = f"page, on the {where}"
            results[name] = [char for char, _ in drawn]
            times[name] = [time for _, took in drawn for time in took]
        browser.close()
    table = Table("read by", "drawings", "right", "median ms", "p95 ms", "slowest ms")
    for name, chars in results.items():
        right = np.mean([class_of.get(char or "") == label for char, label in zip(chars, labels, strict=True)])
        of_all = (
            [f"{value:.0f}" for value in (*np.percentile(times[name], [50, 95, 100]),)] if name in times else [""] * 3
        )
        table.add_row(name, f"{count:,}", f"{right:.2%}", *of_all)
    server, device = results["page, on the server"], results["page, on the device"]
    console = Console()
    console.print(table)
    console.print(f"device and server agree: {np.mean([a == b for a, b in zip(server, device, strict=True)]):.2%}")
    console.print(f"first load: {weight:,} bytes, ready after {ready_ms:.0f} ms")


if __name__ == "__main__":
    main()
