"""The page, in a real Chromium against a real server: what is drawn is read, and errors have words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from penread import Ink, Recognizer
from penread.bundle import DEFAULT_BUNDLE
from penread.server.limits import MAX_POINTS, MAX_STROKES
from tests.conftest import STROKES_L, serving
from tests.page.visit import Fingers, Visit
from tests.recognizer.test_recognizer import folded


def candidates(visit: Visit) -> Locator:
    return visit.page.locator("#candidates li")


def test_draw_predict_clear(visit) -> None:
    page = visit()
    expect(page.page.get_by_role("heading", name="Draw image")).to_be_visible()
    page.expect_state("empty")
    assert page.inked_pixels() == 0
    page.draw(STROKES_L)
    assert page.inked_pixels() > 1000
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("L")
    expect(candidates(page)).to_have_count(5)
    assert candidates(page).first.get_attribute("data-char") == "L"
    expect(candidates(page).first).to_contain_text("%")
    seen = page.page.locator("#glyph").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, index) => index % 4 === 0)"
    )
    assert np.array_equal(np.reshape(seen, (28, 28)), Ink(page.sent[-1]).glyph())
    expect(page.status).to_contain_text("L,")
    expect(page.page.locator("#model")).to_contain_text(DEFAULT_BUNDLE)
    page.clear()
    page.expect_state("empty")
    assert page.inked_pixels() == 0
    expect(candidates(page)).to_have_count(0)
    expect(page.page.locator("#glyph")).to_be_hidden()
    expect(page.page.locator("#char")).to_have_text("")
    expect(page.page.locator("#time")).to_have_text("")


def test_drawings_are_read_through_the_page(visit, drawings: list[dict[str, Any]], recognizer: Recognizer) -> None:
    """Drawings at hand, one for each of 16 characters, drawn with the mouse: read as the API reads the strokes."""
    page = visit()
    rng = np.random.default_rng(3)
    by_label = {each["label"]: each for each in (drawings[index] for index in rng.permutation(len(drawings)))}
    chosen = [by_label[label] for label in sorted(by_label)[:: max(1, len(by_label) // 16)]][:16]
    as_api, right = 0, 0
    for each in chosen:
        page.clear()
        page.draw(each["strokes"])
        read = page.char()
        as_api += read == recognizer.predict(Ink(each["strokes"])).char
        right += read == folded(each["label"])
    assert as_api >= 15
    assert right >= 11


def test_the_blank_canvas_gets_words(visit) -> None:
    page = visit()
    page.predict()
    page.expect_state("blank")
    expect(page.answer).to_contain_text("Nothing is drawn yet")
    expect(page.status).to_contain_text("Nothing is drawn yet")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 500, "json": {"title": "x", "status": 500, "detail": "x"}}, "went wrong|failed|500"),
        ({"status": 422, "json": {"title": "x", "status": 422, "detail": "x"}}, "read"),
        ({"status": 503, "body": "busy"}, "busy"),
        ({"status": 200, "body": "<html>"}, "answer"),
        ({"status": 200, "json": {"char": 5}}, "answer"),
    ],
)
def test_errors_get_words_and_the_drawing_stays(visit, answer: dict[str, Any], words: str) -> None:
    page = visit()
    page.page.route("**/api/v1/predict", lambda route: route.fulfill(**answer))
    page.draw(STROKES_L)
    page.expect_state("error")
    before = page.inked_pixels()
    page.predict()
    page.expect_state("error")
    expect(page.answer).to_contain_text(re.compile(words, re.IGNORECASE))
    expect(page.status).not_to_be_empty()
    assert page.inked_pixels() == before
    page.page.unroute("**/api/v1/predict")
    page.predict()
    page.expect_state("ready")
    # The browser itself writes refused requests to the console.
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_a_server_gone_and_back(visit) -> None:
    page = visit()
    page.context.set_offline(True)
    page.draw(STROKES_L)
    page.expect_state("error")
    expect(page.answer).to_contain_text("connection")
    page.context.set_offline(False)
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("L")
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_a_finger_draws_and_does_not_scroll(visit) -> None:
    page = visit(viewport={"width": 320, "height": 480}, has_touch=True, is_mobile=True, device_scale_factor=3)
    # No sideways scrolling on the narrowest of phones, and a canvas as sharp as its screen.
    assert page.page.evaluate("document.documentElement.scrollWidth") == 320
    box = page.canvas.bounding_box()
    assert box
    assert page.canvas.evaluate("canvas => canvas.width") == pytest.approx(3 * box["width"], abs=2)
    x, y = box["x"] + 60, box["y"] + 60
    fingers = Fingers(page.page)
    fingers.send("touchStart", (x, y))
    for step in range(1, 13):
        fingers.send("touchMove", (x, y + 10 * step))
    # A second finger comes down and changes nothing.
    fingers.send("touchStart", (x, y + 120), (x + 90, y))
    fingers.send("touchMove", (x, y + 120), (x + 90, y + 90))
    fingers.send("touchMove", (x + 80, y + 120), (x + 90, y + 90))
    fingers.send("touchEnd")
    assert page.page.evaluate("scrollY") == 0
    assert page.char() == "L"
    [stroke] = page.sent[-1]
    assert stroke[0] == pytest.approx([60, 60], abs=1)
    assert stroke[-1] == pytest.approx([140, 180], abs=1)


def test_a_drawing_keeps_its_place_when_the_window_changes(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.page.set_viewport_size({"width": 360, "height": 740})
    page.page.wait_for_timeout(100)
    assert page.inked_pixels() > 500
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("L")


def test_the_page_and_the_server_agree_on_the_bounds(visit) -> None:
    bounds = visit().page.evaluate("import('/static/strokes.js').then((m) => [m.MAX_STROKES, m.MAX_POINTS])")
    assert bounds == [MAX_STROKES, MAX_POINTS]


def test_the_page_asks_only_its_own_server(browser: Browser) -> None:
    with serving() as (address, _):
        context = browser.new_context()
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address, wait_until="networkidle")
        page.goto(f"{address}/docs", wait_until="networkidle")
        expect(page.get_by_text("/api/v1/predict").first).to_be_visible()
        assert asked
        assert all(url.startswith((address, "data:")) for url in asked)
        context.close()
