"""From one way in to another and back: camera, pictures, drawings, server, device; nothing is lost or mixed up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Route, expect

from penread import Ink
from tests.browser import find_chromium
from tests.conftest import STROKES_L
from tests.made import drawn
from tests.page.pictures import PICTURE
from tests.page.test_craft import serious
from tests.page.test_live import SEVEN, word
from tests.page.visit import Visit, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def with_camera(browser: Browser, server: str) -> Iterator[Visit]:
    """A visit with a camera that shows a test pattern."""
    launched = browser.browser_type.launch(
        executable_path=find_chromium(),
        args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    )
    visit = Visit(launched, server)
    yield visit
    assert visit.errors == []
    launched.close()


def test_the_camera_leaves_the_drawing_as_it_was(with_camera: Visit) -> None:
    page = with_camera
    page.draw(word("HEK"), size_px=330, at=40)
    assert page.text() == "HEK"
    page.page.locator("#camera").click()
    expect(page.page.locator("#video")).to_be_visible()
    expect(page.page.locator("#shoot")).to_be_focused()
    page.expect_state("empty")
    for tool in ("pen", "eraser", "undo"):
        expect(page.page.locator(f"#{tool}")).to_be_disabled()
    assert serious(page.page) == []
    # What is drawn is not read while the camera is on.
    page.page.locator("#charset").select_option("digits")
    page.page.wait_for_timeout(300)
    page.expect_state("empty")
    expect(page.page.locator("#boxes text")).to_have_count(0)
    page.page.locator("#charset").select_option("")
    page.page.locator("#cancel-camera").click()
    expect(page.page.locator("#video")).to_be_hidden()
    expect(page.page.locator("#camera")).to_be_focused()
    page.expect_state("text")
    assert page.text() == "HEK"
    expect(page.page.locator("#undo")).to_be_enabled()


def test_who_goes_on_to_the_camera_gets_no_older_picture(with_camera: Visit) -> None:
    page = with_camera
    page.page.evaluate(
        """() => {
            const decode = window.createImageBitmap;
            window.createImageBitmap = async (...given) => {
                await new Promise((resolve) => setTimeout(resolve, 600));
                return decode(...given);
            };
            const decoded = HTMLImageElement.prototype.decode;
            HTMLImageElement.prototype.decode = async function () {
                await new Promise((resolve) => setTimeout(resolve, 600));
                return decoded.call(this);
            };
        }"""
    )
    page.page.locator("#file").set_input_files(PICTURE)
    page.page.locator("#camera").click()
    expect(page.page.locator("#video")).to_be_visible()
    page.page.wait_for_timeout(1500)
    expect(page.page.locator("#video")).to_be_visible()
    expect(page.page.locator("#picture")).to_be_hidden()


def test_clearing_a_picture_gives_the_drawing_back(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    page.page.locator("#file").set_input_files(PICTURE)
    page.expect_state("text")
    assert page.text() == "HEAT"
    expect(page.page.locator("#pen")).to_be_disabled()
    page.clear()
    page.expect_state("ready")
    assert page.char() == "7"
    expect(page.page.locator("#pen")).to_be_enabled()


def test_text_on_the_clipboard_changes_nothing(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    assert page.char() == "7"
    page.page.evaluate(
        """() => {
            const text = new DataTransfer();
            text.setData("text/plain", "words");
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: text, bubbles: true }));
        }"""
    )
    page.page.wait_for_timeout(200)
    page.expect_state("ready")
    assert page.char() == "7"


def test_characters_of_ones_own_are_no_name(visit) -> None:
    page = visit()
    page.draw(word("HEK"), size_px=330, at=40)
    page.settle()
    page.page.locator("#charset").select_option("own")
    page.page.locator("#own").fill("upper")
    page.settle()
    assert set(page.text()) <= set("uper?")


@pytest.mark.parametrize(
    ("key", "code", "does"),
    [("z", "KeyY", "undo"), ("y", "KeyZ", "redo"), ("я", "KeyZ", "undo"), ("н", "KeyY", "redo"), ("f", "KeyY", None)],
)
def test_shortcuts_on_other_keyboards(visit, key: str, code: str, does: str | None) -> None:
    """German keyboards have Y and Z in each other's place, Russian ones no Latin letters, Dvorak has F for Y."""
    page = visit()
    page.draw(SEVEN)
    page.draw([[[0, 0], [60, 0]]], size_px=60, at=120)
    page.page.locator("#undo").click()
    page.settle()
    taken = page.page.evaluate(
        """([key, code]) => !document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key, code, ctrlKey: true, bubbles: true, cancelable: true }))""",
        [key, code],
    )
    assert taken == (does is not None)
    page.settle()
    assert page.page.locator("#undo").is_enabled() == (does != "undo")
    assert page.page.locator("#redo").is_enabled() == (does != "redo")


# Keeps what is spoken.
LISTEN = """() => {
    window.spoken = [];
    const region = document.getElementById("status");
    new MutationObserver(() => region.textContent && window.spoken.push(region.textContent))
        .observe(region, { childList: true });
}"""


def test_undo_is_spoken_before_the_answer(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    page.draw([[[0, 0], [60, 0]]], size_px=60, at=120)
    page.settle()
    page.page.evaluate(LISTEN)
    page.page.locator("#undo").click()
    wait_until(page.page, "() => window.spoken.length > 1")
    first, second = page.page.evaluate("() => window.spoken.slice(-2)")
    assert first == "Undone."
    assert second.startswith("7,")


def test_a_why_that_fails_leaves_the_answer(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    page.settle()
    page.page.route("**/api/v1/explain", lambda route: route.abort())
    page.page.locator("#why").click()
    expect(page.page.locator("#glyph-caption")).to_have_text("Can’t reach the server")
    page.expect_state("ready")
    assert page.char() == "7"
    page.page.unroute("**/api/v1/explain")
    page.page.locator("#why").click()
    expect(page.page.locator("#glyph-caption")).to_contain_text("Blue")
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_a_why_that_takes_its_time_is_spoken_when_it_is_there(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    page.settle()
    page.page.evaluate(LISTEN)
    waiting = []
    page.page.route("**/api/v1/explain", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright takes functions only
    page.page.locator("#why").click()
    wait_until(page.page, "() => window.spoken.at(-1) === 'Reading…'")
    waiting[0].continue_()
    wait_until(page.page, "() => (window.spoken.at(-1) ?? '').startsWith('Blue: for 7')")


def test_a_why_stays_in_the_other_language(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    page.settle()
    page.page.locator("#why").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    page.page.get_by_role("button", name="Русский").click()
    expect(page.page.locator("#why")).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#glyph-caption")).to_contain_text("Синее за 7")


def test_a_letter_that_reaches_over_another_is_seen_alone(visit) -> None:
    # The bar of the T reaches far over the e.
    tee = [[[0, 0], [70, 0]], [[35, 0], [35, 100]]]
    [e] = [each["strokes"] for each in drawn() if each["label"] == "e"]
    overhanging = tee + [[[47 + 0.6 * x, 40 + 0.6 * y] for x, y in stroke] for stroke in e]
    page = visit()
    page.draw(overhanging, size_px=300, at=50)
    page.settle()
    assert page.text() == "Te"
    page.page.locator("#text button").first.click()
    seen = page.page.locator("#glyph").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, index) => index % 4 === 0)"
    )
    difference = np.abs(np.reshape(seen, (28, 28)) - Ink(tee).glyph().astype(int))
    # The mouse moves in whole pixels.
    assert difference.mean() < 3


def test_who_reads_on_the_device_sends_nothing_even_at_the_start(visit) -> None:
    page = visit()
    page.page.locator("#where").select_option("device")

    def late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page.page.route("**/config.json", late)
    page.page.reload(wait_until="commit")
    page.page.wait_for_load_state("domcontentloaded")
    page.sent.clear()
    page.draw(STROKES_L)
    assert page.char() == "L"
    assert page.sent == []
    expect(page.page.locator("#privacy")).to_have_text("Drawings stay on this device.")


def test_without_its_server_the_page_reads_on_the_device(visit) -> None:
    page = visit()
    page.draw(SEVEN)
    assert page.char() == "7"
    page.page.route("**/api/**", lambda route: route.abort())
    page.draw([[[0, 0], [0, 1]]], size_px=1, at=300)
    page.page.locator("#undo").click()
    page.expect_state("ready")
    assert page.char() == "7"
    expect(page.page.locator("#remark")).to_contain_text("read on the device")
    page.draw(word("HEK"), size_px=200, at=120)
    page.clear()
    page.draw(word("HEK"), size_px=330, at=40)
    page.expect_state("text")
    assert page.text() == "HEK"
    page.errors[:] = [error for error in page.errors if "Failed to load resource" not in error]


def test_boxes_lie_on_no_other_drawing(visit) -> None:
    page = visit()
    held: list[Any] = []
    page.page.route("**/api/v1/read", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    page.draw(word("HEK"), size_px=330, at=40)
    while not held:
        page.page.wait_for_timeout(20)
    # The answer comes while the next stroke is being drawn, and the pen rests.
    box = page.canvas.bounding_box()
    page.page.mouse.move(box["x"] + 100, box["y"] + 300)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 100, box["y"] + 350)
    page.page.wait_for_timeout(100)
    for route in held:
        route.continue_()
    page.expect_state("text")
    expect(page.page.locator("#boxes text")).to_have_count(0)
    page.page.unroute("**/api/v1/read")
    page.page.mouse.up()
    page.settle()
