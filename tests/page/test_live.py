"""Reading while one draws: every stroke is answered, the last answer wins, and doubt is told."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Route, expect

from penread import Ink, Recognizer
from tests.conftest import STROKES_L
from tests.made import drawn
from tests.page.visit import Visit, wait_until

STROKES = {each["label"]: each["strokes"] for each in drawn()}
SEVEN = [[[0, 0], [60, 0], [25, 100]]]
# A ring like any other.
RING = [[[50 + 40 * np.cos(turn), 50 + 50 * np.sin(turn)] for turn in np.linspace(0, 2 * np.pi, 60)]]


def scribble() -> list[list[list[float]]]:
    """A pen that wanders about: 60 strides in any direction."""
    strides = np.random.default_rng(1).normal(0, 30, (60, 2))
    return [strides.cumsum(axis=0).tolist()]


def word(text: str) -> list[list[list[float]]]:
    """Characters side by side."""
    return [[[x + 90 * place, y] for x, y in stroke] for place, char in enumerate(text) for stroke in STROKES[char]]


def candidates(visit: Visit) -> Locator:
    return visit.page.locator("#candidates li")


def letters(visit: Visit) -> Locator:
    return visit.page.locator("#text button")


def test_a_stroke_is_enough(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.expect_state("ready")
    assert page.char() == "L"
    expect(page.page.locator("#time")).to_contain_text(re.compile(r"in \d+ ms"))
    expect(page.status).to_contain_text("L,")


def test_every_stroke_is_answered(visit) -> None:
    page = visit()
    said = []
    for stroke in ([[0, 0], [0, 100]], [[60, 0], [60, 100]], [[0, 50], [60, 50]]):
        box = page.canvas.bounding_box()
        for step, (x, y) in enumerate(stroke):
            page.page.mouse.move(box["x"] + 100 + 2 * x, box["y"] + 100 + 2 * y)
            if step == 0:
                page.page.mouse.down()
        page.page.mouse.up()
        page.settle()
        said.append(page.answer.inner_text())
    assert page.char() == "H"
    assert len(set(said)) == 3
    page.page.locator("#undo").click()
    page.settle()
    assert page.answer.get_attribute("data-state") != "empty"
    page.page.locator("#undo").click()
    page.page.locator("#undo").click()
    page.expect_state("empty")


def test_the_last_answer_wins_whatever_comes_first(visit) -> None:
    page = visit()
    held: list[Route] = []
    page.page.route("**/api/v1/predict", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    page.draw(STROKES_L)
    page.page.wait_for_timeout(50)
    page.page.locator("#undo").click()
    page.draw(SEVEN)
    while len(held) < 2:
        page.page.wait_for_timeout(20)
    answers = [route.fetch() for route in held]
    held[1].fulfill(response=answers[1])
    page.expect_state("ready")
    assert page.char() == "7"
    # The page has given up the first request, and its answer comes to nobody.
    held[0].fulfill(response=answers[0])
    page.page.wait_for_timeout(200)
    assert page.char() == "7"


def test_a_slow_server_is_waited_for_in_words(visit) -> None:
    page = visit()
    held: list[Route] = []
    page.page.route("**/api/v1/predict", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    page.draw(STROKES_L)
    expect(page.answer).to_have_attribute("data-state", "busy")
    expect(page.page.locator("#headline")).to_have_text("Reading…")
    # Drawing goes on meanwhile.
    page.draw([[[0, 0], [80, 0]]], at=200)
    while len(held) < 2:
        page.page.wait_for_timeout(20)
    page.clear()
    page.expect_state("empty")
    page.page.unroute("**/api/v1/predict")
    page.draw(SEVEN)
    assert page.char() == "7"


def test_several_characters_are_a_word(visit, recognizer: Recognizer) -> None:
    page = visit()
    page.draw(word("HEK"), size_px=330, at=40)
    page.expect_state("text")
    assert page.text() == "HEK" == recognizer.read(Ink(word("HEK"))).text
    expect(page.status).to_contain_text("HEK")
    expect(page.page.locator("#char")).to_be_hidden()
    # Each character is shown over its strokes.
    labels = page.page.locator("#boxes text")
    expect(labels).to_have_count(3)
    assert sorted(labels.all_text_contents()) == ["E", "H", "K"]
    spots = {label.text_content(): label.bounding_box()["x"] for label in labels.all()}
    assert spots["H"] < spots["E"] < spots["K"]
    # And each tells its candidates, and what the model saw of it.
    letters(page).nth(0).click()
    expect(letters(page).nth(0)).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#candidates-heading")).to_have_text("Candidates for “H”")
    assert candidates(page).first.get_attribute("data-char") == "H"
    expect(page.page.locator("#glyph")).to_be_visible()
    expect(page.page.locator("#boxes .selected text")).to_have_text("H")
    page.page.locator("#why").click()
    expect(page.page.locator("#glyph-caption")).to_contain_text("H")
    # A stroke more, and the boxes are not of this drawing any more.
    page.page.locator("#undo").click()
    page.settle()
    assert page.text() != "HEK"
    page.clear()
    expect(labels).to_have_count(0)
    expect(page.page.locator("#text")).to_be_hidden()


def test_a_long_word_is_no_character_that_the_model_knows_but_a_word(visit, recognizer: Recognizer) -> None:
    assert recognizer.predict(Ink(word("TRAPPER"))).reason == "unknown"
    page = visit()
    page.draw(word("TRAPPER"), size_px=380, at=30)
    page.expect_state("text")
    assert page.text() == "TRAPPER"


@pytest.mark.parametrize("lines", [("HEAT", "MEN"), ("WEAK", "3773", "TEN")])
def test_lines_are_read_as_lines(visit, recognizer: Recognizer, lines: tuple[str, ...]) -> None:
    strokes = [[[x, y + 170 * number] for x, y in stroke] for number, line in enumerate(lines) for stroke in word(line)]
    assert recognizer.predict(Ink(strokes)).reason in {"unknown", "solid"}
    page = visit()
    page.draw(strokes, size_px=380, at=30)
    page.expect_state("text")
    assert page.text().split() == list(lines)


def test_a_wide_scribble_is_no_word(visit, recognizer: Recognizer) -> None:
    wave = [
        [[10 * step, (step % 2) * 60 + shake] for step, shake in enumerate(np.random.default_rng(0).normal(0, 6, 40))]
    ]
    # Whoever asks for characters gets some.
    assert len(recognizer.read(Ink(wave)).text) > 1
    page = visit()
    page.draw(wave, size_px=380, at=30)
    page.expect_state("unclear")
    expect(page.page.locator("#headline")).to_have_text("No letter or digit I know")


def test_on_a_phone_the_stage_is_looked_at_again(visit) -> None:
    page = visit(viewport={"width": 390, "height": 700})
    gallery = page.page.locator("#examples")
    gallery.scroll_into_view_if_needed()
    assert page.canvas.bounding_box()["y"] < 0
    gallery.locator("button").first.click()
    page.expect_state("ready")
    wait_until(page.page, "() => document.getElementById('canvas').getBoundingClientRect().top >= 0")


def test_look_alikes_are_both_the_answer(visit) -> None:
    page = visit()
    page.draw(RING)
    page.expect_state("ready")
    expect(page.page.locator("#headline")).to_have_text(re.compile("^(0 or O|O or 0)$"))
    expect(page.page.locator("#remark")).to_contain_text("Alone they look the same")
    # A charset decides.
    page.page.locator("#charset").select_option("digits")
    page.settle()
    assert page.char() == "0"
    expect(page.page.locator("#headline")).to_contain_text("%")
    page.page.locator("#charset").select_option("lower")
    page.settle()
    assert page.char() == "o"


def test_a_bar_is_one_of_three(visit) -> None:
    page = visit()
    page.draw([[[0, step] for step in range(0, 101, 5)]])
    page.expect_state("ready")
    assert set(page.page.locator("#headline").inner_text().replace(",", "").replace(" or", "").split()) == {
        "1",
        "l",
        "I",
    }


def test_a_charset_of_ones_own(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    assert page.char() == "7"
    expect(page.page.locator("#own")).to_be_hidden()
    page.page.locator("#charset").select_option("own")
    own = page.page.locator("#own")
    expect(own).to_be_focused()
    page.page.keyboard.type("XYZ")
    page.settle()
    expect(page.page.locator("#char")).to_have_text(re.compile("[XYZ]"))
    expect(candidates(page)).to_have_count(3)
    # Keys in the field write; they neither clear nor undo the drawing.
    page.page.keyboard.press("Backspace")
    page.page.keyboard.press("Delete")
    assert own.input_value() == "XY"
    assert page.inked_pixels() > 0
    own.fill("é")
    page.expect_state("error")
    expect(page.answer).to_contain_text("Latin letters and digits")
    own.fill("")
    page.settle()
    assert page.char() == "7"
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


@pytest.mark.parametrize(
    ("locale", "headline", "remark", "heading"),
    [
        ("en-GB", "No letter or digit I know", "draw a Latin letter or a digit", "Perhaps"),
        ("ru-RU", "Незнакомый символ", "нарисуйте латинскую букву или цифру", "Возможно, это"),
    ],
)
def test_what_is_no_character_is_told_in_a_sentence(
    visit, locale: str, headline: str, remark: str, heading: str
) -> None:
    page = visit(locale=locale)
    ordinary = page.page.locator("#candidates-heading").inner_text()
    page.draw(scribble())
    page.expect_state("unclear")
    assert page.char() == "?"
    expect(page.page.locator("#headline")).to_have_text(headline)
    expect(page.page.locator("#remark")).to_contain_text(remark)
    expect(page.page.locator("#candidates-heading")).to_have_text(heading)
    expect(candidates(page)).to_have_count(5)
    expect(page.status).to_contain_text(headline)
    expect(page.status).to_contain_text(heading)
    # It is only a "perhaps": paler than an answer's candidates.
    assert float(candidates(page).first.locator(".bar").evaluate("bar => getComputedStyle(bar).opacity")) < 1
    expect(page.page.locator("#copy")).to_be_disabled()
    page.clear()
    page.draw(STROKES_L)
    page.expect_state("ready")
    expect(page.page.locator("#candidates-heading")).to_have_text(ordinary)
    assert float(candidates(page).first.locator(".bar").evaluate("bar => getComputedStyle(bar).opacity")) == 1


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
@pytest.mark.parametrize("width", [320, 390, 768, 1100])
def test_every_reason_has_words_that_fit(visit, locale: str, width: int) -> None:
    page = visit(locale=locale, viewport={"width": width, "height": 844})
    height = "() => document.getElementById('answer').getBoundingClientRect().height"
    before = page.page.evaluate(height)
    said = set()
    answer: dict[str, Any] = {"char": None, "confidence": 0.1, "rejected": "unclear"}
    answer["candidates"] = [{"char": "W", "confidence": 0.4}]
    page.page.route("**/api/v1/predict", lambda route: route.fulfill(json=answer))
    # Several, but no text either.
    text = {"text": "", "lines": [], "width": 1, "height": 1}
    page.page.route("**/api/v1/read", lambda route: route.fulfill(json=text))
    for reason in ("speck", "solid", "several", "unknown", "something new", None):
        answer["reason"] = reason
        page.draw(STROKES_L, size_px=120, at=40)
        page.expect_state("unclear")
        said.add(page.page.locator("#headline").inner_text())
        assert page.page.evaluate(height) == before
        remark = page.page.locator("#remark").bounding_box()
        evidence = page.page.locator(".evidence").bounding_box()
        assert remark["y"] + remark["height"] <= evidence["y"] + 1
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        page.clear()
    # A reason that this page doesn't know, from a newer server, is as good as none.
    assert len(said) == 5


def test_why_shows_what_speaks_for_a_character(visit) -> None:
    page = visit()
    expect(page.page.locator("#why")).to_be_disabled()
    page.draw(STROKES["E"])
    page.settle()
    assert page.char() == "E"
    why = page.page.locator("#why")
    pixels = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    grey = np.reshape(page.page.locator("#glyph").evaluate(pixels), (28, 28, 4))[..., :3]
    assert (np.ptp(grey, axis=2) == 0).all()
    why.click()
    expect(why).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#glyph-caption")).to_have_text("Blue: for E, orange: against")
    wait_until(page.page, "() => !document.getElementById('glyph').hidden")
    colours = np.reshape(page.page.locator("#glyph").evaluate(pixels), (28, 28, 4))[..., :3].astype(int)
    blue = (colours[..., 2] - colours[..., 0])[grey[..., 0] > 128]
    assert blue.max() > 60
    # The foot makes the E: it is bluer than the rest.
    shade = np.where(grey[..., 0] > 128, colours[..., 2] - colours[..., 0], 0)
    assert shade[20:].sum() > shade[8:14].sum()
    why.click()
    expect(why).to_have_attribute("aria-pressed", "false")
    again = np.reshape(page.page.locator("#glyph").evaluate(pixels), (28, 28, 4))[..., :3]
    assert np.array_equal(again, grey)
    # Another drawing has another answer, without its why.
    why.click()
    page.page.locator("#undo").click()
    page.settle()
    expect(why).to_have_attribute("aria-pressed", "false")


def test_the_text_is_copied(visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    copy = page.page.locator("#copy")
    expect(copy).to_be_disabled()
    page.draw(word("HEK"), size_px=330, at=40)
    page.settle()
    copy.click()
    expect(copy).to_have_attribute("data-state", "copied")
    assert page.page.evaluate("navigator.clipboard.readText()") == "HEK"
    expect(page.status).to_have_text("Copied")
    expect(copy).not_to_have_attribute("data-state", "copied")
    page.clear()
    expect(copy).to_be_disabled()


def test_keys(visit) -> None:
    page = visit()
    press = page.page.keyboard.press
    page.draw(SEVEN)
    page.draw([[[0, 0], [60, 0]]], size_px=60, at=120)
    press("Control+z")
    page.settle()
    assert page.char() == "7"
    press("Control+z")
    page.expect_state("empty")
    press("Control+y")
    page.settle()
    assert page.char() == "7"
    press("Control+Shift+z")
    page.settle()
    expect(page.page.locator("#redo")).to_be_disabled()
    press("Delete")
    page.expect_state("empty")
    assert page.inked_pixels() == 0
    # Clearing is undone like a stroke.
    press("Control+z")
    page.settle()
    assert page.inked_pixels() > 0
    press("Backspace")
    page.expect_state("empty")
    press("Enter")
    page.expect_state("blank")
    page.draw(SEVEN)
    page.expect_state("ready")
    page.page.locator("#predict").focus()
    press("Enter")
    page.expect_state("ready")
    assert page.char() == "7"


def test_the_keyboard_reaches_everything_but_the_drawing(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.settle()
    # The browser goes on from where the last click was.
    page.page.mouse.click(2, 2)
    reached: list[str] = []
    while reached[-1:] != ["api"] and len(reached) < 60:
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate("document.activeElement.id || document.activeElement.innerText"))
    wanted = [
        "English",
        "Русский",
        "pen",
        "eraser",
        "width",
        "undo",
        "predict",
        "clear",
        "charset",
        "where",
        "why",
        "copy",
    ]
    assert [each for each in reached if each in wanted] == wanted
    assert "choose" in reached
    assert "api" in reached
    focused = page.page.locator("#clear")
    focused.focus()
    page.page.keyboard.press("Space")
    page.expect_state("empty")
    expect(page.page.get_by_role("img", name=re.compile("Draw image"))).to_be_visible()


def test_the_pen_the_eraser_and_the_width(visit) -> None:
    page = visit()
    page.draw([[[0, 0], [0, 100]]])
    thin = page.inked_pixels()
    page.clear()
    page.page.locator("#width").fill("8")
    page.draw([[[0, 0], [0, 100]]])
    thick = page.inked_pixels()
    assert thick > 1.5 * thin
    page.page.locator("#eraser").click()
    expect(page.page.locator("#eraser")).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#pen")).to_have_attribute("aria-pressed", "false")
    box = page.canvas.bounding_box()
    page.page.mouse.move(box["x"] + 60, box["y"] + 160)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 62, box["y"] + 160)
    page.page.mouse.up()
    page.page.mouse.move(5, 5)
    page.page.wait_for_timeout(100)
    assert 0 < page.inked_pixels() < thick
    page.page.locator("#undo").click()
    page.page.wait_for_timeout(100)
    assert page.inked_pixels() == thick
    page.page.reload()
    assert page.page.locator("#width").input_value() == "8"
