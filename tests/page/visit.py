"""A visitor of the page: a mouse, fingers and a pen in a real browser, through the browser's own input."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import Browser, Page, Request, expect

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pointer events arrive in whole pixels; a canvas of this size shows a drawing well.
DRAWN_PX = 200


def wait_until(page: Page, condition: str, argument: object = None) -> None:
    """Waits until a function in the page gives something true.

    Playwright's own ``wait_for_function`` evaluates text there, which the page's security policy forbids.
    """
    ends_at = time.monotonic() + 20
    while not page.evaluate(condition, argument):
        assert time.monotonic() < ends_at, f"{condition} has not come true in 20 s"
        page.wait_for_timeout(20)


class Visit:
    """A visitor's page, which must come through without an error on the console."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        # Without the service worker, so that the tests see every request; tests/site has tests of it.
        usual = {"locale": "en-GB", "viewport": {"width": 1100, "height": 800}, "service_workers": "block"}
        self.context = browser.new_context(**{**usual, **options})
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        #: The strokes of each request, the last one last.
        self.sent: list[list[list[list[float]]]] = []
        self.page.on("request", self._note)
        self.page.goto(address)
        self.canvas = self.page.locator("#canvas")
        self.answer = self.page.locator("#answer")
        self.status = self.page.locator("#status")

    def _note(self, request: Request) -> None:
        if request.method == "POST" and "json" in request.headers.get("content-type", ""):
            self.sent.append(json.loads(request.post_data or "{}")["strokes"])

    def draw(self, strokes: list[list[list[float]]], size_px: float = DRAWN_PX, at: float = 60) -> None:
        """Draws strokes with the mouse, ``size_px`` on their longer side."""
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        assert box
        points = np.concatenate([np.array(stroke, dtype=float) for stroke in strokes])
        low, extent = points.min(axis=0), max(float(np.ptp(points, axis=0).max()), 1)
        for stroke in strokes:
            path = (np.array(stroke, dtype=float) - low) * (size_px / extent) + (box["x"] + at, box["y"] + at)
            self.page.mouse.move(*path[0])
            self.page.mouse.down()
            for x, y in path[1:]:
                self.page.mouse.move(x, y)
            self.page.mouse.up()

    def predict(self) -> None:
        self.page.get_by_role("button", name=re.compile("^(Predict|Распознать)$")).click()

    def clear(self) -> None:
        self.page.get_by_role("button", name=re.compile("^(Clear|Очистить)$")).click()

    def inked_pixels(self) -> int:
        """How many pixels of the canvas have ink."""
        script = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.filter((value, index) => index % 4 === 3 && value > 0).length"""
        return int(self.canvas.evaluate(script))

    def settle(self) -> None:
        """Waits until what was drawn last is read."""
        expect(self.answer).to_have_attribute("aria-busy", "false", timeout=20_000)

    def expect_state(self, state: str) -> None:
        self.settle()
        expect(self.answer).to_have_attribute("data-state", state)

    def char(self) -> str:
        """The character that was read."""
        self.settle()
        return self.page.locator("#char").inner_text()

    def text(self) -> str:
        """The text that was read, of drawings with several characters."""
        self.settle()
        return self.page.locator("#text").inner_text()


class Fingers:
    """Touches the page with one or more fingers."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


class Pen:
    """Writes on the page with a pen that measures its pressure."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def _send(self, kind: str, place: Sequence[float], buttons: int, force: float) -> None:
        event = {"type": kind, "x": place[0], "y": place[1], "buttons": buttons, "force": force, "pointerType": "pen"}
        button = "none" if kind == "mouseMoved" else "left"
        self._session.send("Input.dispatchMouseEvent", {**event, "button": button, "clickCount": 1})

    def down(self, place: Sequence[float], force: float = 0.5) -> None:
        self._send("mousePressed", place, 1, force)

    def move(self, place: Sequence[float], force: float = 0.5) -> None:
        self._send("mouseMoved", place, 1, force)

    def up(self, place: Sequence[float]) -> None:
        self._send("mouseReleased", place, 0, 0)

    def hover(self, place: Sequence[float]) -> None:
        self._send("mouseMoved", place, 0, 0)
