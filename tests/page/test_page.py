"""The page, in a real Chromium against a real server: drawn on with a mouse, a finger and a pen."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from penread import Ink, Recognizer
from penread.bundle import DEFAULT_BUNDLE
from penread.server.limits import MAX_POINTS, MAX_STROKES
from tests.conftest import STROKES_L, serving
from tests.recognizer.test_recognizer import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pointer events arrive in whole pixels; a canvas of this size shows a drawing well.
DRAWN_PX = 200


class Visit:
    """A visitor's page, which must come through without an error on the console."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1100, "height": 800}, **options})
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.goto(address)
        self.canvas = self.page.locator("#canvas")
        self.answer = self.page.locator("#answer")
        self.status = self.page.locator("#status")

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
        self.page.get_by_role("button", name=re.compile("Predict|Распознать")).click()

    def clear(self) -> None:
        self.page.get_by_role("button", name=re.compile("Clear|Очистить")).click()

    def inked_pixels(self) -> int:
        """How many pixels of the canvas have ink."""
        script = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.filter((value, index) => index % 4 === 3 && value > 0).length"""
        return int(self.canvas.evaluate(script))

    def expect_state(self, state: str) -> None:
        expect(self.answer).to_have_attribute("data-state", state)


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Any]:
    """Opens pages, and sees to it that none ends with an unexpected error on its console."""
    visits: list[Visit] = []

    def open_page(**options: Any) -> Visit:
        visits.append(Visit(browser, server, **options))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()
        assert each.errors == []


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
    assert page.page.locator("#glyph").evaluate("image => image.complete && image.naturalWidth") == 28
    expect(page.status).to_contain_text("L,")
    expect(page.page.locator("#model")).to_contain_text(DEFAULT_BUNDLE)
    page.clear()
    page.expect_state("empty")
    assert page.inked_pixels() == 0
    expect(candidates(page)).to_have_count(0)
    expect(page.page.locator("#glyph")).to_be_hidden()
    expect(page.page.locator("#char")).to_have_text("")


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
        page.predict()
        page.expect_state("ready")
        read = page.page.locator("#char").text_content()
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


HT = [[[0, 0], [0, 100]], [[60, 0], [60, 100]], [[0, 50], [60, 50]], [[90, 0], [160, 0]], [[125, 0], [125, 100]]]


def scribble() -> list[list[list[float]]]:
    """A pen that wanders about: 60 strides in any direction."""
    strides = np.random.default_rng(1).normal(0, 30, (60, 2))
    return [strides.cumsum(axis=0).tolist()]


@pytest.mark.parametrize(
    ("locale", "strokes", "headline", "remark", "heading"),
    [
        ("en-GB", HT, "More than one character", "draw one letter or digit alone", "Perhaps"),
        ("ru-RU", HT, "Здесь не один символ", "нарисуйте одну букву или цифру", "Возможно, это"),
        ("en-GB", scribble(), "No letter or digit I know", "draw a Latin letter or a digit", "Perhaps"),
        ("ru-RU", scribble(), "Незнакомый символ", "нарисуйте латинскую букву или цифру", "Возможно, это"),
    ],
)
def test_what_is_no_character_is_told_in_a_sentence(
    visit, locale: str, strokes: list[list[list[float]]], headline: str, remark: str, heading: str
) -> None:
    page = visit(locale=locale)
    ordinary = page.page.locator("#candidates-heading").inner_text()
    page.draw(strokes)
    page.predict()
    page.expect_state("unclear")
    expect(page.page.locator("#char")).to_have_text("?")
    expect(page.page.locator("#headline")).to_have_text(headline)
    expect(page.page.locator("#remark")).to_contain_text(remark)
    expect(page.page.locator("#candidates-heading")).to_have_text(heading)
    expect(candidates(page)).to_have_count(5)
    expect(page.status).to_contain_text(headline)
    expect(page.status).to_contain_text(heading)
    # It is only a "perhaps": paler than an answer's candidates.
    assert float(candidates(page).first.locator(".bar").evaluate("bar => getComputedStyle(bar).opacity")) < 1
    page.clear()
    page.draw(STROKES_L)
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#candidates-heading")).to_have_text(ordinary)
    assert float(candidates(page).first.locator(".bar").evaluate("bar => getComputedStyle(bar).opacity")) == 1


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
@pytest.mark.parametrize("width", [320, 390, 768, 1100])
def test_every_reason_has_words_that_fit(visit, locale: str, width: int) -> None:
    page = visit(locale=locale, viewport={"width": width, "height": 844})
    page.draw(STROKES_L, size_px=120, at=40)
    height = "() => document.getElementById('answer').getBoundingClientRect().height"
    before = page.page.evaluate(height)
    said = set()
    answer: dict[str, Any] = {"char": None, "confidence": 0.1, "rejected": "unclear"}
    answer["candidates"] = [{"char": "W", "confidence": 0.4}]
    page.page.route("**/api/v1/predict", lambda route: route.fulfill(json=answer))
    for reason in ("speck", "solid", "several", "unknown", "something new", None):
        answer["reason"] = reason
        page.predict()
        page.expect_state("unclear")
        said.add(page.page.locator("#headline").inner_text())
        assert page.page.evaluate(height) == before
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        page.clear()
        page.draw(STROKES_L, size_px=120, at=40)
    # A reason that this page doesn't know, from a newer server, is as good as none.
    assert len(said) == 5


def test_a_drawing_changed_after_the_answer_is_told(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.predict()
    page.expect_state("ready")
    page.draw(STROKES_L)
    page.expect_state("stale")
    page.predict()
    page.expect_state("ready")


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
    page.draw(STROKES_L)
    page.context.set_offline(True)
    page.predict()
    page.expect_state("error")
    expect(page.answer).to_contain_text("connection")
    page.context.set_offline(False)
    page.predict()
    page.expect_state("ready")
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_the_newest_answer_wins_and_clear_cancels(visit) -> None:
    page = visit()
    held: list[Route] = []
    page.page.route("**/api/v1/predict", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    page.draw(STROKES_L)
    page.predict()
    page.expect_state("busy")
    page.predict()
    page.page.wait_for_function("() => true")
    while len(held) < 2:
        page.page.wait_for_timeout(20)
    page.clear()
    page.expect_state("empty")
    page.page.unroute("**/api/v1/predict")
    page.draw([[[0, 0], [60, 0], [25, 100]]])
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("7")
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_the_keyboard_reaches_everything_but_the_drawing(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(3):
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate("document.activeElement.id || document.activeElement.getAttribute('href')"))
    assert reached == ["predict", "clear", "docs"]
    page.page.locator("#predict").focus()
    page.page.keyboard.press("Enter")
    page.expect_state("ready")
    page.page.locator("#clear").focus()
    page.page.keyboard.press("Space")
    page.expect_state("empty")
    expect(page.page.get_by_role("img", name=re.compile("Draw image"))).to_be_visible()


class Fingers:
    """Touches the page with one or more fingers, through the browser's own input."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


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
    requests: list[dict[str, Any]] = []
    page.page.on("request", lambda request: requests.append(json.loads(request.post_data or "{}")))
    page.predict()
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("L")
    [stroke] = requests[0]["strokes"]
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


@pytest.mark.parametrize(
    ("locale", "lang", "heading", "predict", "clear"),
    [
        ("en-US", "en", "Draw image", "Predict", "Clear"),
        ("ru-RU", "ru", "Нарисуйте символ", "Распознать", "Очистить"),
        ("fr-FR", "en", "Draw image", "Predict", "Clear"),
    ],
)
def test_the_language_is_the_browsers(visit, locale: str, lang: str, heading: str, predict: str, clear: str) -> None:
    page = visit(locale=locale)
    expect(page.page.locator("html")).to_have_attribute("lang", lang)
    expect(page.page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.page.get_by_role("button", name=predict, exact=True)).to_be_visible()
    expect(page.page.get_by_role("button", name=clear, exact=True)).to_be_visible()
    if lang == "ru":
        text = page.page.locator("body").inner_text()
        assert not set(re.findall(r"[A-Za-z]{2,}", text)) - {"penread", "pen", "read", "API"}


def test_both_languages_have_the_same_words(visit) -> None:
    page = visit()
    keys = page.page.evaluate(
        """import("/static/i18n.js").then(({ MESSAGES }) =>
            [MESSAGES.en, MESSAGES.ru].map((words) => Object.keys(words).sort()))"""
    )
    assert keys[0] == keys[1]


def test_the_page_and_the_server_agree_on_the_bounds(visit) -> None:
    bounds = visit().page.evaluate("import('/static/strokes.js').then((m) => [m.MAX_STROKES, m.MAX_POINTS])")
    assert bounds == [MAX_STROKES, MAX_POINTS]


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_nothing_moves(visit, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 844}, color_scheme=scheme)
    places = """() => ["canvas", "predict", "clear", "answer"].map((id) => {
        const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
        return [x, y + scrollY, width, height].map(Math.round);
    })"""
    before = page.page.evaluate(places)
    page.draw(STROKES_L, size_px=120, at=40)
    page.predict()
    page.expect_state("ready")
    assert page.page.evaluate(places) == before
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    canvas = before[0]
    assert canvas[2] == canvas[3] >= 240


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
