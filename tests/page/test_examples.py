"""The examples to try: drawn by docs/make_examples.py, read as they are meant, and one of them not at all."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from penread import Ink, Recognizer
from tests.conftest import ROOT
from tests.page.visit import Visit

FILE = ROOT / "src" / "penread" / "web" / "examples.json"
EXAMPLES: list[dict[str, Any]] = json.loads(FILE.read_text())
NAMES = [each["text"] or each["kind"] for each in EXAMPLES]
# What the model may say where two characters look the same.
ALIKE = {"O": {"O", "0"}}


def read(recognizer: Recognizer, example: dict[str, Any], side_px: float) -> str | None:
    """Reads an example as the page does with a canvas of some size: as a character, else as a word."""
    ink = Ink([[[round(x * side_px, 1), round(y * side_px, 1)] for x, y in stroke] for stroke in example["strokes"]])
    alone = recognizer.predict(ink)
    return recognizer.read(ink).text if alone.reason == "several" else alone.char


def test_the_file_is_small_and_says_what_it_should() -> None:
    assert FILE.stat().st_size <= 12_000
    assert len(EXAMPLES) >= 10
    assert {len(each["text"]) for each in EXAMPLES} >= {0, 1, 2, 4, 5}
    assert len({json.dumps(each["strokes"]) for each in EXAMPLES}) == len(EXAMPLES)
    for each in EXAMPLES:
        points = np.concatenate(each["strokes"])
        assert (points > 0.02).all()
        assert (points < 0.98).all()


def test_the_file_is_what_the_script_draws() -> None:
    spec = importlib.util.spec_from_file_location("make_examples", ROOT / "docs" / "make_examples.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.make()
    assert [(each["kind"], each["text"]) for each in made] == [(each["kind"], each["text"]) for each in EXAMPLES]
    for drawn, kept in zip(made, EXAMPLES, strict=True):
        assert [len(stroke) for stroke in drawn["strokes"]] == [len(stroke) for stroke in kept["strokes"]]
        # The last digit may be rounded otherwise elsewhere.
        assert np.concatenate(drawn["strokes"]) == pytest.approx(np.concatenate(kept["strokes"]), abs=0.0011)


@pytest.mark.parametrize("side_px", [240, 360, 640])
@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_each_is_read_as_it_is_meant(recognizer: Recognizer, example: dict[str, Any], side_px: float) -> None:
    answer = read(recognizer, example, side_px)
    text = example["text"]
    if text == "":
        assert answer is None
    else:
        assert answer in ALIKE.get(text, {text})


def test_look_alikes_are_told_as_such(recognizer: Recognizer) -> None:
    """The round one is both: its two best candidates are O and 0, and nothing else comes near."""
    [example] = [each for each in EXAMPLES if each["kind"] == "alike"]
    first, second, third = recognizer.predict(Ink(example["strokes"])).candidates[:3]
    assert {first.char, second.char} == {"O", "0"}
    assert second.confidence > 0.1 > third.confidence


def test_each_is_picked_and_read_on_the_page(visit) -> None:
    page = visit()
    buttons = page.page.locator("#examples button")
    expect(buttons).to_have_count(len(EXAMPLES))
    for number, example in enumerate(EXAMPLES):
        page.clear()
        page.expect_state("empty")
        buttons.nth(number).click()
        text = example["text"]
        if text == "":
            page.expect_state("unclear")
        elif len(text) == 1:
            page.expect_state("ready")
            assert page.page.locator("#char").text_content() in ALIKE.get(text, {text})
        else:
            page.expect_state("text")
            expect(page.page.locator("#text")).to_have_text(text)
        assert page.inked_pixels() > 500


def test_picking_twice_gives_the_same_drawing(visit) -> None:
    """What is drawn on the first pick doesn't end up in the second."""
    page = visit()
    page.page.locator("#examples button").first.click()
    page.expect_state("ready")
    before = page.inked_pixels()
    page.draw([[[0, 0], [100, 100]]])
    page.page.locator("#examples button").first.click()
    page.expect_state("ready")
    assert page.inked_pixels() == before


@pytest.mark.parametrize(("locale", "word"), [("en-GB", "Example"), ("ru-RU", "Пример")])
def test_each_has_a_picture_and_a_label_of_its_own(visit, locale: str, word: str) -> None:
    page = visit(locale=locale)
    buttons = page.page.locator("#examples button")
    expect(buttons).to_have_count(len(EXAMPLES))
    labels = [button.get_attribute("aria-label") for button in buttons.all()]
    assert all(label and label.startswith(word) for label in labels)
    assert len(set(labels)) == len(EXAMPLES)
    boxes = buttons.locator("path").evaluate_all(
        "paths => paths.map((path) => path.getBBox()).map(({ x, y, width, height }) => [x, y, x + width, y + height])"
    )
    for example, box in zip(EXAMPLES, boxes, strict=True):
        points = np.concatenate(example["strokes"])
        # The curves cut corners.
        assert box == pytest.approx([*points.min(axis=0), *points.max(axis=0)], abs=0.03)


def test_they_speak_the_language_chosen(visit) -> None:
    page = visit()
    first = page.page.locator("#examples button").first
    expect(first).to_have_attribute("aria-label", "Example: the letter A")
    page.page.locator("[data-language=ru]").click()
    expect(first).to_have_attribute("aria-label", "Пример: буква A")


def test_they_are_fetched_when_they_come_into_view(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 400}, service_workers="block")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server, wait_until="networkidle")
    assert page.locator("#examples").bounding_box()["y"] > 400  # type: ignore[index]
    assert not [url for url in asked if "examples.json" in url]
    page.locator("#examples").scroll_into_view_if_needed()
    expect(page.locator("#examples button")).to_have_count(len(EXAMPLES))
    assert len([url for url in asked if "examples.json" in url]) == 1
    context.close()


def test_a_page_that_cannot_fetch_them_goes_without_and_tries_again(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 400}, service_workers="block")
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.route("**/examples.json", lambda route: route.abort())
    page.goto(server)
    with page.expect_event("requestfailed"):
        page.locator("#examples").scroll_into_view_if_needed()
    page.unroute("**/examples.json")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
    page.locator("#examples").scroll_into_view_if_needed()
    expect(page.locator("#examples button")).to_have_count(len(EXAMPLES))
    assert failures == []
    context.close()


def test_a_visitor_with_the_keyboard_picks_one(visit) -> None:
    page: Visit = visit()
    page.page.locator("#examples button").nth(1).focus()
    page.page.keyboard.press("Enter")
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("7")
