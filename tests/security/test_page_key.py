"""The page of a server that wants a key: it asks for it, keeps it as it is told, and needs none on the device."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from penread import runtime
from tests.conftest import STROKES_L, serving
from tests.page.test_craft import serious
from tests.page.test_live import word
from tests.page.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Request

KEY = "one-good-key"


@pytest.fixture(scope="module")
def keyed() -> Iterator[str]:
    with serving(env={"PENREAD_API_KEYS": KEY}) as (address, _):
        yield address


@pytest.fixture
def visit(browser: Browser, keyed: str) -> Iterator[Any]:
    """Opens pages of the server that wants a key; nothing but its refusals may be complained of."""
    visits: list[Visit] = []

    def open_page(**options: Any) -> Visit:
        visits.append(Visit(browser, keyed, **options))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()
        assert [error for error in each.errors if "401 (Unauthorized)" not in error] == []


def dialog(page: Visit) -> Any:
    return page.page.get_by_role("dialog")


def give(page: Visit, key: str) -> None:
    page.page.locator("#key").fill(key)
    page.page.keyboard.press("Enter")


def test_it_asks_once_it_is_refused_and_then_reads(visit) -> None:
    page = visit()
    sent: list[Request] = []
    page.page.on("request", lambda request: sent.append(request) if "/api/" in request.url else None)
    expect(dialog(page)).to_be_hidden()
    page.draw(STROKES_L)
    expect(dialog(page)).to_be_visible()
    expect(page.page.locator("#key")).to_be_focused()
    expect(page.page.locator("#key-wrong")).to_be_hidden()
    give(page, KEY)
    expect(dialog(page)).to_be_hidden()
    page.expect_state("ready")
    assert page.char() == "L"
    # From now on with everything: words, reasons and pictures, too.
    page.page.locator("#why").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    page.clear()
    page.draw(word("HEK"), size_px=330, at=40)
    page.expect_state("text")
    assert [each.headers.get("x-api-key") for each in sent] == [None] + [KEY] * (len(sent) - 1)
    assert {each.url.rpartition("/")[2] for each in sent[1:]} == {"predict", "read", "explain"}
    assert not [each for each in sent if KEY in each.url]
    expect(dialog(page)).to_be_hidden()


def test_a_wrong_key_is_told_and_forgotten(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    # The last is nothing that a browser could send.
    for wrong in ("wrong", "wröng", "неверный"):
        give(page, wrong)
        expect(page.page.locator("#key-wrong")).to_be_visible()
        expect(page.page.get_by_role("alert")).to_have_text("The server does not know this key.")
        expect(page.page.locator("#key")).to_have_attribute("aria-invalid", "true")
        expect(page.page.locator("#key")).to_be_focused()
        assert "wr" not in json.dumps(page.page.evaluate("[{ ...localStorage }, { ...sessionStorage }]"))
    give(page, f" {KEY} ")
    page.expect_state("ready")
    assert page.char() == "L"


def test_who_gives_none_is_left_alone_until_asking(visit) -> None:
    page = visit()
    page.draw(STROKES_L)
    expect(dialog(page)).to_be_visible()
    # Keys of the page are keys of the dialog now: nothing that was drawn is lost.
    page.page.locator("#cancel-key").focus()
    page.page.keyboard.press("Backspace")
    page.page.keyboard.press("Control+z")
    page.page.keyboard.press("Escape")
    expect(dialog(page)).to_be_hidden()
    page.expect_state("error")
    expect(page.page.locator("#headline")).to_have_text("This server wants a key")
    assert page.inked_pixels() > 0
    page.draw([[[0, 0], [0, 60]]], size_px=60, at=300)
    page.settle()
    page.expect_state("error")
    expect(dialog(page)).to_be_hidden()
    page.page.locator("#undo").click()
    page.predict()
    expect(dialog(page)).to_be_visible()
    give(page, KEY)
    page.expect_state("ready")
    assert page.char() == "L"


def test_the_key_is_for_the_visit_or_kept_and_can_be_forgotten(visit, keyed: str) -> None:
    page = visit()
    kept = "[sessionStorage.getItem('penread.key'), localStorage.getItem('penread.key')]"
    page.draw(STROKES_L)
    give(page, KEY)
    page.expect_state("ready")
    assert page.page.evaluate(kept) == [KEY, None]
    page.page.reload()
    page.draw(STROKES_L)
    page.expect_state("ready")
    # Another visit.
    page.page.close()
    page.page = page.context.new_page()
    page.page.goto(keyed)
    page.canvas, page.answer = page.page.locator("#canvas"), page.page.locator("#answer")
    page.draw(STROKES_L)
    expect(dialog(page)).to_be_visible()
    page.page.locator("#key").fill(KEY)
    page.page.get_by_label("Keep it in this browser").check()
    page.page.get_by_role("button", name="Use it").click()
    page.expect_state("ready")
    assert page.page.evaluate(kept) == [None, KEY]
    page.page.locator("#change-key").click()
    page.page.get_by_role("button", name="Forget the key").click()
    expect(dialog(page)).to_be_hidden()
    assert page.page.evaluate(kept) == [None, None]
    page.predict()
    expect(dialog(page)).to_be_visible()
    expect(page.page.get_by_role("button", name="Forget the key")).to_be_hidden()


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "dark"), ("ru-RU", "light")])
@pytest.mark.parametrize("viewport", [{"width": 320, "height": 640}, {"width": 1280, "height": 800}])
def test_the_dialog_fits_and_shuts_nobody_out(visit, locale: str, scheme: str, viewport: dict[str, int]) -> None:
    page = visit(locale=locale, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page.draw(STROKES_L, size_px=120, at=40)
    give(page, "wrong")
    expect(page.page.locator("#key-wrong")).to_be_visible()
    assert serious(page.page) == []
    box = dialog(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= viewport["width"]
    assert box["y"] + box["height"] <= viewport["height"]
    name = {"en-GB": "This server wants a key", "ru-RU": "Серверу нужен ключ"}[locale]
    expect(page.page.get_by_role("dialog", name=name)).to_be_visible()
    cut_off = page.page.evaluate(
        """() => [...document.querySelectorAll("dialog :is(h2, p, label, button)")].filter((each) =>
            each.scrollWidth > each.clientWidth + 1 && !each.closest("[hidden]")).map((each) => each.outerHTML)"""
    )
    assert cut_off == []
    if locale == "ru-RU":
        assert not [word for word in dialog(page).inner_text().split() if word.isascii() and word.isalpha()]


def test_on_the_device_it_takes_no_key(visit) -> None:
    assert runtime.load(), "ONNX Runtime for browsers is missing: run `make runtime`."
    page = visit()
    page.page.locator("#where").select_option("device")
    page.draw(STROKES_L)
    page.expect_state("ready")
    assert page.char() == "L"
    assert page.sent == []
    expect(dialog(page)).to_be_hidden()


def test_without_keys_nothing_is_said_of_them(browser: Browser, server: str) -> None:
    page: Any = Visit(browser, server)
    page.draw(STROKES_L)
    page.expect_state("ready")
    expect(page.page.locator("#change-key")).to_be_hidden()
    assert "key" not in page.page.evaluate("fetch('config.json').then((answer) => answer.json())")
    page.context.close()
    assert page.errors == []
