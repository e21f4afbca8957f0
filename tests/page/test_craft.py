"""The page as a piece of work: fits every screen, stays still, speaks two languages, and shuts nobody out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.conftest import STROKES_L
from tests.page.pictures import PICTURE
from tests.page.test_live import letters, scribble, word

PHONE = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 800}


def serious(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical, with the elements."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(
    ("locale", "scheme", "viewport"),
    [
        ("en-GB", "light", PHONE), ("en-GB", "dark", DESK), ("ru-RU", "light", DESK), ("ru-RU", "dark", PHONE),
    ],
)  # fmt: skip
def test_axe_finds_nothing_serious_in_any_state(visit, locale: str, scheme: str, viewport: dict[str, int]) -> None:
    # What is taking its colour has another one meanwhile.
    page = visit(locale=locale, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    assert serious(page.page) == [], "empty"
    page.draw(STROKES_L, size_px=120, at=40)
    page.expect_state("ready")
    page.page.locator("#why").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    page.page.locator("#charset").select_option("own")
    page.settle()
    assert serious(page.page) == [], "a character"
    page.page.locator("#charset").select_option("")
    page.clear()
    page.draw(word("HEK"), size_px=240, at=25)
    page.expect_state("text")
    letters(page).first.click()
    assert serious(page.page) == [], "a word"
    page.clear()
    page.draw(scribble(), size_px=200, at=40)
    page.expect_state("unclear")
    assert serious(page.page) == [], "unclear"
    page.page.route("**/api/v1/predict", lambda route: route.fulfill(status=500, body="x"))
    page.predict()
    page.expect_state("error")
    assert serious(page.page) == [], "an error"
    page.page.unroute("**/api/v1/predict")
    page.page.locator("#file").set_input_files(PICTURE)
    page.expect_state("text")
    page.page.locator("#examples").scroll_into_view_if_needed()
    expect(page.page.locator("#examples button").last).to_be_attached()
    assert serious(page.page) == [], "a picture"
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


@pytest.mark.parametrize(
    ("width", "height"), [(320, 640), (390, 844), (768, 1024), (844, 390), (1280, 800), (3840, 2160)]
)
@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
def test_nothing_is_cut_off_and_nothing_moves(visit, width: int, height: int, locale: str) -> None:
    page = visit(viewport={"width": width, "height": height}, locale=locale)
    # The gallery comes when it is looked at.
    page.page.locator("#examples").scroll_into_view_if_needed()
    expect(page.page.locator("#examples button").last).to_be_attached()
    places = """() => ["canvas", "predict", "clear", "answer", "why", "copy", "where", "examples"].map((id) => {
        const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
        return [x, y + scrollY, width, height].map(Math.round);
    })"""
    before = page.page.evaluate(places)

    def check(what: str) -> None:
        assert page.page.evaluate(places) == before, what
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width, what
        cut_off = page.page.evaluate(
            """() => [...document.querySelectorAll("button, h1, h2, p, figcaption, label, .share")].filter((each) =>
                each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline"
                && !each.closest("[hidden], #text, .visually-hidden")).map((each) => each.outerHTML)"""
        )
        assert cut_off == [], what
        # All of the answer's last line is in one line.
        line = [page.page.locator(f"#{name}").bounding_box() for name in ("where", "why", "copy")]
        assert max(box["y"] for box in line) < min(box["y"] + box["height"] for box in line), what

    check("empty")
    page.draw(STROKES_L, size_px=120, at=40)
    page.expect_state("ready")
    check("a character")
    page.page.locator("#why").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    check("why")
    page.page.locator("#copy").click()
    check("copied")
    page.page.locator("#charset").select_option("own")
    check("a charset of one's own")
    page.page.locator("#charset").select_option("")
    page.clear()
    page.draw(word("HEK"), size_px=200, at=25)
    page.expect_state("text")
    check("a word")
    page.clear()
    page.draw([[[0, 0], [0, 90]], [[2, 0], [2, 90]]], size_px=90, at=40)
    page.settle()
    check("look-alikes")
    canvas = before[0]
    assert canvas[2] == canvas[3] >= 200


@pytest.mark.parametrize(
    ("locale", "lang", "heading", "predict", "clear"),
    [
        ("en-US", "en", "Draw image", "Predict", "Clear"),
        ("ru-RU", "ru", "Нарисуйте", "Распознать", "Очистить"),
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
        assert not set(re.findall(r"[A-Za-z]{2,}", text)) - {"penread", "pen", "read", "API", "English"}


def test_the_language_can_be_switched_and_stays(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.expect_state("ready")
    page.page.get_by_role("button", name="Русский").click()
    expect(page.page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.page.get_by_role("button", name="Распознать")).to_be_visible()
    # The answer, too, and nothing is lost.
    expect(page.page.locator("#remark")).to_have_text("Почти наверняка")
    assert page.char() == "L"
    labels = page.page.evaluate(
        "() => [...document.querySelectorAll('[aria-label], [title]')].map((each) => each.ariaLabel ?? each.title)"
    )
    assert not [label for label in labels if re.search(r"[a-z]{3,}", re.sub("Ctrl|read$", "", label))]
    page.page.reload()
    expect(page.page.locator("html")).to_have_attribute("lang", "ru")
    page.page.get_by_role("button", name="English").click()
    expect(page.page.get_by_role("button", name="Predict")).to_be_visible()


def test_both_languages_have_the_same_words(visit) -> None:
    page = visit()
    words = page.page.evaluate("import('/static/i18n.js').then(({ MESSAGES }) => MESSAGES)")
    assert words["en"].keys() == words["ru"].keys()
    for key, english in words["en"].items():
        forms = [english, words["ru"][key]]
        slots = [set(re.findall(r"\{\w+\}", str(form))) for form in forms]
        assert slots[0] == slots[1], key


def test_every_word_is_used_and_every_used_word_is_there(visit) -> None:
    """Keys that are built from parts (`${failure}Headline`) are of a known few endings."""
    page = visit()
    words = page.page.evaluate("import('/static/i18n.js').then(({ MESSAGES }) => Object.keys(MESSAGES.en))")
    asked = page.page.evaluate(
        """async () => {
            const sources = performance.getEntriesByType("resource").map(({ name }) => name)
                .filter((name) => name.endsWith(".js"));
            const read = async (name) => (await fetch(name)).text();
            const texts = await Promise.all([location.href, ...sources].map(read));
            return texts.join("\\n");
        }"""
    )
    used = set(re.findall(r'(?:\btext\(|data-i18n(?:-\w+)?=)"(\w+)"', asked))
    assert used <= set(words)
    unused = {word for word in words if not re.search(rf'["\'`]{word}["\'`]', asked)}
    assert {word for word in unused if not re.search("Headline$|Remark$|^example", word)} == set()


def test_reduced_motion_is_respected(visit) -> None:
    moving = visit().page.locator("#predict").evaluate("each => getComputedStyle(each).transitionDuration")
    still = (
        visit(reduced_motion="reduce")
        .page.locator("#predict")
        .evaluate("each => getComputedStyle(each).transitionDuration")
    )
    assert moving != "0s"
    assert still == "0s"


def test_no_cookie_is_set(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    page.expect_state("ready")
    page.page.get_by_role("button", name="Русский").click()
    assert page.context.cookies() == []


def test_the_page_lives_under_a_strict_content_security_policy(visit) -> None:
    """The server's own, which tests/security looks at. A breach is an error on the console, which fails the visit."""
    page = visit()
    policy = page.page.evaluate("fetch('.').then((answer) => answer.headers.get('content-security-policy'))")
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';" in policy
    page.draw(word("HEK"), size_px=330, at=40)
    page.expect_state("text")
    page.page.locator("#where").select_option("device")
    page.settle()
    assert page.text() == "HEK"
    page.page.locator("#why").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    page.page.locator("#examples").scroll_into_view_if_needed()
    page.page.locator("#examples button").first.click()
    page.expect_state("ready")
