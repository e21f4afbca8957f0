"""Pictures on the page: chosen, dropped, pasted or taken with the camera, and what was read laid over them."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, expect

from penread.image import MAX_PIXELS as SERVER_MAX_PIXELS
from penread.server.settings import MAX_BODY_BYTES
from tests.browser import find_chromium
from tests.made import drawn
from tests.page.visit import Visit, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WORD = "CHART"
# Where characters of a word stand: their height, how far apart they begin, and the margin around.
HEIGHT, PITCH, MARGIN = 150, 150, 90


def written(*lines: str) -> Image.Image:
    """Draws words with a pen on white paper, one below the other."""
    strokes = {each["label"]: each["strokes"] for each in drawn()}
    size = (2 * MARGIN + PITCH * max(map(len, lines)), 2 * MARGIN + 2 * HEIGHT * len(lines) - HEIGHT)
    paper = Image.new("L", size, 250)
    pen = ImageDraw.Draw(paper)
    for row, line in enumerate(lines):
        for column, char in enumerate(line):
            corner = np.array([MARGIN + column * PITCH, MARGIN + 2 * row * HEIGHT])
            for stroke in strokes[char]:
                points = [tuple(point) for point in np.array(stroke) * (HEIGHT / 100) + corner]
                pen.line(points, fill=40, width=14, joint="curve")
                for x, y in (points[0], points[-1]):
                    pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=40)
    return paper


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def file_of(content: bytes, name: str = "word.png", kind: str = "image/png") -> Any:
    return {"name": name, "mimeType": kind, "buffer": content}


def choose(visit: Visit, *files: Any) -> None:
    visit.page.locator("#file").set_input_files(list(files))


def transfer(visit: Visit, event: str, files: list[Any], text: str = "", target: str = "body") -> None:
    """Drops or pastes files, or text, as the browser hands them to the page."""
    given = [{**each, "buffer": base64.b64encode(each["buffer"]).decode()} for each in files]
    visit.page.locator(target).evaluate(
        """(element, { event, files, text }) => {
            const data = new DataTransfer();
            for (const { name, mimeType, buffer } of files) {
                const bytes = Uint8Array.from(atob(buffer), (letter) => letter.charCodeAt(0));
                data.items.add(new File([bytes], name, { type: mimeType }));
            }
            if (text !== "") data.setData("text/plain", text);
            const options = { bubbles: true, cancelable: true };
            element.dispatchEvent(event === "paste"
                ? new ClipboardEvent(event, { ...options, clipboardData: data })
                : new DragEvent(event, { ...options, dataTransfer: data }));
        }""",
        {"event": event, "files": given, "text": text},
    )


def picture(visit: Visit) -> Locator:
    return visit.page.locator("#picture img")


def expect_text(visit: Visit, *lines: str) -> None:
    visit.expect_state("text")
    expect(visit.page.locator("#text p")).to_have_text(list(lines))


def expect_words(visit: Visit, words: str) -> None:
    visit.expect_state("error")
    expect(visit.page.locator("#headline")).to_have_text(words)
    expect(visit.page.locator("#remark")).not_to_be_empty()
    expect(visit.status).to_contain_text(words)


def places(visit: Visit, selector: str) -> list[dict[str, float]]:
    """Where elements are on the screen."""
    found: list[dict[str, float]] = visit.page.locator(selector).evaluate_all(
        "elements => elements.map((element) => element.getBoundingClientRect().toJSON())"
    )
    return found


def shown_area(visit: Visit, width: int, height: int) -> tuple[float, float, float]:
    """Where the picture lies on the screen, contained in the stage: left, top, and how large a pixel of it is."""
    stage = visit.page.locator(".stage").bounding_box()
    assert stage
    scale = min(stage["width"] / width, stage["height"] / height)
    return (
        stage["x"] + (stage["width"] - width * scale) / 2,
        stage["y"] + (stage["height"] - height * scale) / 2,
        scale,
    )


# --- Ways in ---


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_is_shown_and_read(visit, way: str) -> None:
    page = visit()
    image = written(WORD)
    if way == "choose":
        choose(page, file_of(encoded(image)))
    else:
        transfer(page, way, [file_of(encoded(image))])
    expect_text(page, WORD)
    expect(picture(page)).to_be_visible()
    assert picture(page).get_attribute("alt")
    assert picture(page).evaluate("image => [image.naturalWidth, image.naturalHeight]") == list(image.size)
    # Whole, in the middle of the square.
    assert picture(page).evaluate("image => getComputedStyle(image).objectFit") == "contain"
    [shown], [stage] = places(page, "#picture img"), places(page, ".stage")
    assert shown == pytest.approx(stage, abs=1)


def test_the_button_opens_the_choice_of_files_and_the_same_file_may_come_twice(visit) -> None:
    page = visit()
    for _ in range(2):
        with page.page.expect_file_chooser() as chooser, page.page.expect_response("**/api/v1/read"):
            page.page.locator("#choose").click()
            chooser.value.set_files(file_of(encoded(written(WORD))))
        expect_text(page, WORD)


def test_a_file_is_dragged_from_the_desktop(visit, tmp_path: Path) -> None:
    """Through the browser's own input, not events made by a script."""
    page = visit()
    file = tmp_path / "word.png"
    file.write_bytes(encoded(written(WORD)))
    session = page.context.new_cdp_session(page.page)
    dragged = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    stage = page.page.locator(".stage")
    # Over words, which take nothing by themselves.
    place = page.page.locator("#headline").bounding_box()
    assert place
    for event in ("dragEnter", "dragOver"):
        session.send(
            "Input.dispatchDragEvent", {"type": event, "x": place["x"] + 5, "y": place["y"] + 5, "data": dragged}
        )
    expect(stage).to_have_class("stage dropping")
    session.send("Input.dispatchDragEvent", {"type": "drop", "x": place["x"] + 5, "y": place["y"] + 5, "data": dragged})
    expect(stage).to_have_class("stage")
    expect_text(page, WORD)
    expect(picture(page)).to_be_visible()


def test_a_picture_is_pasted_with_the_keyboard(visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.page.evaluate(
        """async (png) => {
            const blob = new Blob([Uint8Array.from(atob(png), (char) => char.charCodeAt(0))], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        base64.b64encode(encoded(written(WORD))).decode(),
    )
    page.page.keyboard.press("Control+V")
    expect_text(page, WORD)
    page.page.evaluate("navigator.clipboard.writeText('only words')")
    page.page.keyboard.press("Control+V")
    page.page.wait_for_timeout(200)
    # Words are no picture, and no reason to take the answer away.
    expect_text(page, WORD)
    transfer(page, "drop", [], "words that are no picture")
    page.page.wait_for_timeout(200)
    expect_text(page, WORD)


def test_the_newest_picture_wins(visit, tmp_path: Path) -> None:
    """A large picture, slow to open, and a small one right after it."""
    page = visit()
    large = tmp_path / "large.png"
    written("BE").resize((5200, 4600)).save(large, compress_level=1)
    choose(page, large)
    choose(page, file_of(encoded(written(WORD))))
    expect_text(page, WORD)
    page.page.wait_for_timeout(2500)
    expect_text(page, WORD)
    assert picture(page).evaluate("image => image.naturalWidth") == written(WORD).width


def test_the_stage_shows_what_it_would_take(visit) -> None:
    page = visit()
    stage = page.page.locator(".stage")
    png = file_of(b"not looked at before it is dropped")
    for target in ("body", "#answer", "#canvas"):
        transfer(page, "dragover", [png], target=target)
        expect(stage).to_have_class("stage dropping")
        transfer(page, "dragleave", [png], target=target)
        expect(stage).to_have_class("stage")
    transfer(page, "dragover", [file_of(b"x", "IMG_1.heic", "")])
    expect(stage).to_have_class("stage dropping")
    transfer(page, "dragover", [png, png])
    expect(stage).to_have_class("stage")
    transfer(page, "dragover", [file_of(b"x", "a.txt", "text/plain")])
    expect(stage).to_have_class("stage")
    transfer(page, "dragover", [], text="some words")
    expect(stage).to_have_class("stage")
    transfer(page, "dragover", [png])
    transfer(page, "drop", [file_of(encoded(written(WORD)))])
    expect(stage).to_have_class("stage")
    expect_text(page, WORD)


PNG = encoded(written("CH"))
JPEG = encoded(written("CH"), "JPEG")


@pytest.mark.parametrize("event", ["drop", "paste"])
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([file_of(PNG), file_of(PNG)], "One picture at a time"),
        ([file_of(b"words", "words.txt", "text/plain")], "This is no picture"),
        ([file_of(b"%PDF-1.7\n", "page.pdf", "application/pdf")], "PDF files aren’t read here"),
    ],
)
def test_what_is_no_picture_is_told(visit, event: str, files: list[Any], words: str) -> None:
    page = visit()
    page.page.route("**/api/v1/*", lambda route: route.fulfill(status=500))
    transfer(page, event, files)
    # Had it been sent, the server's failure would have been told.
    expect_words(page, words)
    expect(page.page.locator("#picture")).to_be_hidden()


def test_text_fields_keep_what_is_pasted_into_them(visit) -> None:
    page = visit()
    page.page.locator("#charset").select_option("own")
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    transfer(page, "paste", [], text="ABC", target="#own")
    transfer(page, "paste", [file_of(PNG)], target="#own")
    page.page.wait_for_timeout(300)
    page.expect_state("empty")
    assert asked == []
    transfer(page, "paste", [file_of(PNG)], target="#charset")
    expect(picture(page)).to_be_visible()


# --- Files ---


def upright(orientation: int) -> bytes:
    """A JPEG that is stored turned, and says so: a camera held otherwise than its sensor."""
    turns = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(written(WORD).transpose(turns[orientation]), "JPEG", quality=90, exif=exif)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photograph_is_read_upright_and_boxes_lie_on_what_is_seen(visit, orientation: int) -> None:
    page = visit()
    choose(page, file_of(upright(orientation), "photo.jpg", "image/jpeg"))
    expect_text(page, WORD)
    image = written(WORD)
    assert picture(page).evaluate("image => [image.naturalWidth, image.naturalHeight]") == list(image.size)
    expect_boxes_on(page, image, WORD)


# The browser's tools don't show the files in a form.
KEEP_SENT = """() => {
    const { fetch } = window;
    window.sent = [];
    window.fetch = async (address, options) => {
        const bytes = await options.body.get("image").arrayBuffer();
        const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        window.sent.push([...sum].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
        return fetch(address, options);
    };
}"""


def sixteen_bits() -> bytes:
    return encoded(Image.fromarray(np.asarray(written(WORD)).astype(np.uint16) * 257))


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (sixteen_bits(), "deep.png", "image/png"),
        (encoded(written(WORD).convert("P"), "GIF"), "word.gif", "image/gif"),
        (encoded(written(WORD), "WEBP", lossless=True), "word.webp", "image/webp"),
        (encoded(written(WORD), "BMP"), "word.bmp", "image/bmp"),
        # What a file is shows in its content, whatever it is called.
        (encoded(written(WORD), "JPEG"), "word.png", "image/png"),
        (encoded(written(WORD)), "word", ""),
    ],
)
def test_all_common_formats_are_shown_and_sent_as_they_are(visit, content: bytes, name: str, kind: str) -> None:
    page = visit()
    page.page.evaluate(KEEP_SENT)
    choose(page, file_of(content, name, kind))
    expect_text(page, WORD)
    assert picture(page).evaluate("image => image.naturalWidth") == written(WORD).width
    assert page.page.evaluate("sent") == [hashlib.sha256(content).hexdigest()]


@pytest.mark.parametrize("kind", ["TIFF", "PPM"])
def test_what_the_browser_cannot_show_is_read_all_the_same(visit, kind: str) -> None:
    page = visit()
    name = f"scan.{kind.lower()}"
    choose(page, file_of(encoded(written(WORD), kind), name, f"image/{kind.lower()}"))
    expect_text(page, WORD)
    expect(page.page.locator("#picture")).to_contain_text(name)
    expect(picture(page)).to_have_count(0)
    # There is nothing to lay boxes over.
    expect(page.page.locator("#boxes g")).to_have_count(0)
    choose(page, file_of(encoded(written(WORD))))
    expect(picture(page)).to_be_visible()
    expect(page.page.locator("#picture")).not_to_contain_text(name)


def test_a_drawing_of_vectors_is_sent_as_pixels(visit) -> None:
    page = visit()
    lines = {each["label"]: each["strokes"] for each in drawn()}
    paths = "".join(
        f'<polyline points="{" ".join(f"{x + 110 * place + 20},{y + 20}" for x, y in stroke)}"/>'
        for place, char in enumerate("HA")
        for stroke in lines[char]
    )
    look = 'fill="none" stroke="#123" stroke-width="9" stroke-linecap="round"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="230" height="140" {look}>{paths}</svg>'
    choose(page, file_of(svg.encode(), "drawing.svg", "image/svg+xml"))
    expect_text(page, "HA")
    # Sharp, however small the drawing says to be.
    assert picture(page).evaluate("image => image.naturalWidth") == 1600


def test_what_only_browsers_know_is_sent_as_pixels(visit) -> None:
    page = visit()
    icon = Image.new("L", (256, 256), 250)
    icon.paste(written("R").resize((256, 256)))
    choose(page, file_of(encoded(icon.convert("RGB"), "ICO", sizes=[(256, 256)]), "r.ico", "image/x-icon"))
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("R")
    assert picture(page).evaluate("image => image.naturalWidth") == 256


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (PNG[: len(PNG) // 2], "half.png", "This picture can’t be opened"),
        (PNG[:40] + bytes(200), "damaged.png", "This picture can’t be opened"),
        (JPEG[: len(JPEG) // 2], "half.jpg", "This picture can’t be opened"),
        (b"", "empty.png", "This picture can’t be opened"),
        (b"Dear reader,\nthis is no picture.\n" * 9, "letter.png", "This is no picture"),
        (b"%PDF-1.7\n" + bytes(200), "page.png", "PDF files aren’t read here"),
    ],
)
def test_broken_files_are_refused_with_words(visit, content: bytes, name: str, words: str) -> None:
    page = visit()
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    choose(page, file_of(content, name))
    expect_words(page, words)
    assert asked == []
    # The page goes on as ever.
    choose(page, file_of(encoded(written(WORD))))
    expect_text(page, WORD)


# --- Bounds ---

PREPARE = """async (file) => {
    const { preparePicture } = await import("/static/pictures.js");
    try {
        const { blob, url, width, height } = await preparePicture(file);
        if (url !== null) URL.revokeObjectURL(url);
        const bitmap = await createImageBitmap(blob);
        return { bytes: blob.size, type: blob.type, width, height, seen: [bitmap.width, bitmap.height] };
    } catch (error) {
        return { failure: error.failure ?? String(error) };
    }
}"""


def prepare(visit: Visit, file: Path) -> Any:
    """Prepares a picture in the page."""
    visit.page.evaluate("""() => {
        const input = Object.assign(document.createElement("input"), { type: "file", id: "probe" });
        document.body.append(input);
    }""")
    visit.page.locator("#probe").set_input_files(file)
    prepared = visit.page.locator("#probe").evaluate(f"(input) => ({PREPARE})(input.files[0])")
    visit.page.locator("#probe").evaluate("input => input.remove()")
    return prepared


def test_the_page_keeps_to_the_bounds_of_the_server(visit) -> None:
    bounds = visit().page.evaluate("import('/static/pictures.js').then((m) => [m.MAX_FILE_BYTES, m.MAX_PIXELS])")
    # As much as goes, and some room for the form around it.
    assert 0.99 * MAX_BODY_BYTES < bounds[0] < MAX_BODY_BYTES - 1000
    assert bounds[1] <= SERVER_MAX_PIXELS


def test_the_largest_file_is_sent_as_it_is_and_the_server_takes_it(visit, tmp_path: Path) -> None:
    page = visit()
    most = page.page.evaluate("import('/static/pictures.js').then((m) => m.MAX_FILE_BYTES)")
    content = encoded(written(WORD))
    file = tmp_path / "a name of ordinary length.png"
    # What follows the end of a PNG means nothing.
    file.write_bytes(content + bytes(most - len(content)))
    with page.page.expect_response("**/api/v1/read") as response:
        choose(page, file)
    assert response.value.status == 200
    expect_text(page, WORD)


def test_a_larger_file_is_made_smaller(visit, tmp_path: Path) -> None:
    page = visit()
    most = page.page.evaluate("import('/static/pictures.js').then((m) => m.MAX_FILE_BYTES)")
    noise = np.random.default_rng(1).integers(0, 256, (2400, 2600, 3), dtype=np.uint8)
    file = tmp_path / "noise.png"
    Image.fromarray(noise).save(file, compress_level=1)
    assert file.stat().st_size > most
    prepared = prepare(page, file)
    assert prepared["bytes"] <= most
    assert prepared["type"] == "image/png"
    assert prepared["seen"] == [prepared["width"], prepared["height"]]
    assert prepared["width"] / prepared["height"] == pytest.approx(2600 / 2400, rel=0.01)
    assert prepared["width"] > 1500


def test_a_picture_of_very_many_pixels_is_shrunk_and_read_upright(visit, tmp_path: Path) -> None:
    page = visit()
    sheet = Image.new("L", (7000, 3600), 250)
    sheet.paste(written(WORD).resize((7000, 2520)), (0, 500))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "huge.jpg"
    sheet.transpose(Image.Transpose.ROTATE_90).save(file, quality=60, exif=exif)
    choose(page, file)
    expect_text(page, WORD)
    width, height = picture(page).evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert 8_000_000 < width * height <= 12_100_000
    assert width / height == pytest.approx(7000 / 3600, rel=0.01)


def test_a_picture_too_large_to_open_is_refused(visit, tmp_path: Path) -> None:
    page = visit()
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 10_000), 1).save(bomb)
    assert bomb.stat().st_size < 1_000_000
    assert prepare(page, bomb) == {"failure": "pictureLarge"}
    unseen = tmp_path / "unseen.tiff"
    unseen.write_bytes(b"II*\0" + bytes(MAX_BODY_BYTES))
    assert prepare(page, unseen) == {"failure": "pictureLarge"}


COUNT_URLS = """
    window.alive = new Set();
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (blob) => { const url = createObjectURL(blob); window.alive.add(url); return url; };
    URL.revokeObjectURL = (url) => { window.alive.delete(url); revokeObjectURL(url); };
"""


def test_no_picture_is_kept_in_memory(visit) -> None:
    page = visit()
    page.page.add_init_script(COUNT_URLS)
    page.page.reload()
    for _ in range(3):
        with page.page.expect_response("**/api/v1/read"):
            choose(page, file_of(encoded(written(WORD))))
        expect_text(page, WORD)
        assert page.page.evaluate("alive.size") == 1
        assert page.page.evaluate("alive.has(document.querySelector('#picture img').src)")
    choose(page, file_of(PNG[:60]))
    expect_words(page, "This picture can’t be opened")
    page.clear()
    page.expect_state("empty")
    expect(page.page.locator("#picture")).to_be_hidden()
    assert page.page.evaluate("alive.size") == 0


# --- Boxes ---


def expect_boxes_on(visit: Visit, image: Image.Image, text: str) -> None:
    """Expects a box around each character of a one-line picture, with what was read next to it."""
    groups = visit.page.locator("#boxes g.box")
    expect(groups).to_have_count(len(text))
    labels = groups.locator("text").all_text_contents()
    frames = places(visit, "#boxes .box-frame")
    names = places(visit, "#boxes text")
    left, top, scale = shown_area(visit, *image.size)
    ink = np.asarray(image) < 128
    # The last one is selected or not: by place, not by order.
    by_place = sorted(zip(frames, names, labels, strict=True), key=lambda each: float(each[0]["x"]))
    assert "".join(label for _, _, label in by_place) == text
    for column, (frame, name, _) in enumerate(by_place):
        start = MARGIN + column * PITCH - 20
        rows, columns = np.nonzero(ink[:, start : start + PITCH])
        inked = (columns.min() + start, rows.min(), columns.max() + start + 1, rows.max() + 1)
        expected = [left + inked[0] * scale, top + inked[1] * scale, left + inked[2] * scale, top + inked[3] * scale]
        found = [frame["left"], frame["top"], frame["right"], frame["bottom"]]
        assert found == pytest.approx(expected, abs=4)
        assert name["left"] < (frame["left"] + frame["right"]) / 2 < name["right"]
        # The box of a text is that of its font, which is higher than its letters.
        spare = 0.35 * (name["bottom"] - name["top"])
        assert name["bottom"] < frame["top"] + spare or name["top"] > frame["bottom"] - spare


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1100, 800, "light"), (390, 844, "light"), (320, 568, "dark"), (844, 390, "dark")]
)
def test_boxes_lie_on_the_characters_of_a_picture(visit, width: int, height: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": height}, color_scheme=scheme)
    image = written(WORD)
    choose(page, file_of(encoded(image)))
    expect_text(page, WORD)
    expect_boxes_on(page, image, WORD)
    # They stay on it in another window.
    page.page.set_viewport_size({"width": 700, "height": 900})
    page.page.wait_for_timeout(150)
    expect_boxes_on(page, image, WORD)


def test_boxes_of_a_tall_picture_and_of_two_lines(visit) -> None:
    page = visit()
    image = written("CH", "AR", "TB")
    choose(page, file_of(encoded(image)))
    expect_text(page, "CH", "AR", "TB")
    expect(page.page.locator("#boxes g.box")).to_have_count(6)
    left, top, scale = shown_area(page, *image.size)
    for number, frame in enumerate(places(page, "#boxes .box-frame")):
        row, column = divmod(int(page.page.locator("#boxes g.box").nth(number).get_attribute("data-index") or 0), 2)
        x, y = MARGIN + PITCH * column, MARGIN + 2 * HEIGHT * row
        assert frame["left"] == pytest.approx(left + (x - 7) * scale, abs=8 * scale + 4)
        assert frame["top"] == pytest.approx(top + (y - 7) * scale, abs=8 * scale + 4)


def test_boxes_go_with_the_answer(visit) -> None:
    page = visit()
    choose(page, file_of(encoded(written(WORD))))
    expect(page.page.locator("#boxes g.box")).to_have_count(len(WORD))
    page.clear()
    expect(page.page.locator("#boxes g.box")).to_have_count(0)


def test_the_chosen_character_is_marked(visit) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    choose(page, file_of(encoded(written(WORD, WORD, WORD, WORD))))
    expect_text(page, WORD, WORD, WORD, WORD)
    letters = page.page.locator("#text button")
    for index in (7, 2):
        letters.nth(index).click()
        expect(page.page.locator("#boxes g.selected")).to_have_count(1)
        expect(page.page.locator("#boxes g.selected")).to_have_attribute("data-index", str(index))


SHOW = """async ({ answer, page, selected }) => {
    const { createBoxes } = await import("/static/boxes.js");
    const old = document.getElementById("boxes");
    const svg = old.cloneNode(false);
    old.replaceWith(svg);
    window.laid = createBoxes(svg);
    window.laid.show(answer, page);
    if (selected !== undefined) window.laid.select(selected);
}"""


def answer_of(lines: Sequence[Sequence[tuple[float, ...]]], char: str | None = "W") -> dict[str, Any]:
    """An answer with characters at given places."""
    found = []
    for boxes in lines:
        characters: list[dict[str, Any]] = [
            {
                "char": char,
                "confidence": 0.9,
                "candidates": [],
                "rejected": None if char else "unclear",
                "reason": None if char else "unknown",
                "box": dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
            }
            for box in boxes
        ]
        found.append({"text": "", "box": characters[0]["box"], "characters": characters})
    return {"kind": "text", "text": "", "lines": found, "width": 1000, "height": 1000, "model": None}


def sizes_px(visit: Visit) -> list[float]:
    """The sizes of the labels on the screen."""
    sizes: list[float] = visit.page.locator("#boxes text").evaluate_all(
        "texts => texts.map((text) => text.getAttribute('font-size') * text.getScreenCTM().a)"
    )
    return sizes


@pytest.mark.parametrize("over", ["picture", "drawing"])
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_the_labels_of_a_full_page_fit(visit, width: int, over: str) -> None:
    """200 characters, 20 on each of 10 lines."""
    page = visit(viewport={"width": width, "height": 844})
    lines = [[(20 + 48 * x, 40 + 95 * y, 52 + 48 * x, 90 + 95 * y) for x in range(20)] for y in range(10)]
    page.page.evaluate(SHOW, {"answer": answer_of(lines), "page": {"width": 1000, "height": 1000, "over": over}})
    frames, names = places(page, "#boxes .box-frame"), places(page, "#boxes text")
    [stage] = places(page, ".stage")
    assert len(frames) == len(names) == 200
    for size, frame in zip(sizes_px(page), frames, strict=True):
        assert size <= frame["height"] + 0.01
        assert size >= min(11, frame["height"]) - 0.01
    for name in names:
        assert stage["left"] - 1 <= name["left"] < name["right"] <= stage["right"] + 1
    # Neighbours' labels don't cover one another by more than their side bearings.
    for row in range(10):
        in_row = names[20 * row : 20 * row + 20]
        for one, other in itertools.pairwise(in_row):
            assert one["right"] - other["left"] < 0.35 * (one["right"] - one["left"])


def test_the_label_of_the_chosen_character_can_be_read_on_the_smallest_phone(visit) -> None:
    page = visit(viewport={"width": 320, "height": 568})
    lines = [[(10 + 16 * x, 5 + 20 * y, 22 + 16 * x, 15 + 20 * y) for x in range(60)] for y in range(49)]
    shown = {"answer": answer_of(lines), "page": {"width": 1000, "height": 1000}, "selected": 61}
    page.page.evaluate(SHOW, shown)
    chosen = page.page.locator("#boxes g.selected text")
    assert chosen.evaluate("text => text.getAttribute('font-size') * text.getScreenCTM().a") >= 16
    page.page.evaluate("laid.select(0)")
    expect(page.page.locator("#boxes g.selected")).to_have_attribute("data-index", "0")
    assert sum(size >= 16 for size in sizes_px(page)) == 1
    page.page.evaluate("laid.select(null)")
    expect(page.page.locator("#boxes g.selected")).to_have_count(0)
    assert max(sizes_px(page)) < 16


def test_what_could_not_be_read_is_dashed(visit) -> None:
    page = visit()
    boxes = [[(100.0, 300.0, 300.0, 700.0), (400.0, 300.0, 600.0, 700.0)]]
    page.page.evaluate(SHOW, {"answer": answer_of(boxes, None), "page": {"width": 1000, "height": 1000}})
    frames = page.page.locator("#boxes .box-frame")
    expect(page.page.locator("#boxes g.rejected text")).to_have_text(["?", "?"])
    assert frames.first.evaluate("frame => getComputedStyle(frame).strokeDasharray") != "none"
    page.page.evaluate(SHOW, {"answer": answer_of(boxes), "page": {"width": 1000, "height": 1000}})
    assert frames.first.evaluate("frame => getComputedStyle(frame).strokeDasharray") == "none"


def test_labels_stay_on_the_page(visit) -> None:
    """Writing up to the edge: the labels go below, or in, but not off."""
    page = visit()
    for box in ((0.0, 0.0, 300.0, 1000.0), (0.0, 0.0, 1000.0, 300.0), (900.0, 600.0, 1000.0, 1000.0)):
        page.page.evaluate(SHOW, {"answer": answer_of([[box]]), "page": {"width": 1000, "height": 1000}})
        [name], [stage] = places(page, "#boxes text"), places(page, ".stage")
        assert stage["left"] - 1 <= name["left"]
        assert name["right"] <= stage["right"] + 1
        assert stage["top"] - 0.4 * name["height"] <= name["top"]
        assert name["bottom"] <= stage["bottom"] + 0.4 * name["height"]


def test_labels_of_a_leaning_line_follow_it(visit) -> None:
    page = visit()
    line = [(60 + 100 * x, 300 + 30 * x + 15 * (x % 2), 130 + 100 * x, 400 + 30 * x) for x in range(9)]
    page.page.evaluate(SHOW, {"answer": answer_of([line]), "page": {"width": 1000, "height": 1000}})
    names, frames = places(page, "#boxes text"), places(page, "#boxes .box-frame")
    steps = np.diff([name["top"] for name in names])
    # Side by side on one straight line, though every other character is lower; and above all of them.
    assert steps == pytest.approx(np.full(8, steps.mean()), abs=0.6)
    assert steps.mean() > 5
    for name, frame in zip(names, frames, strict=True):
        assert name["bottom"] - 0.25 * name["height"] < frame["top"] + 1


# --- Camera ---


def scene(*, with_neighbours: bool) -> Image.Image:
    """What the camera sees: a letter in the middle, and perhaps others just outside of the frame to aim with."""
    sheet = Image.new("RGB", (640, 480), (226, 222, 214))
    letter = written("R").resize((200, 200)).convert("RGB")
    sheet.paste(letter, (220, 140))
    if with_neighbours:
        for x in (-10, 520):
            sheet.paste(written("H").resize((130, 130)).convert("RGB"), (x, 175))
    return sheet


def camera_file(folder: Path, image: Image.Image) -> Path:
    """A film of one picture, ten frames long, that the browser takes for its camera."""
    file = folder / "scene.mjpeg"
    file.write_bytes(encoded(image, "JPEG", quality=92) * 10)
    return file


@pytest.fixture
def with_camera(tmp_path: Path, browser: Browser, server: str) -> Iterator[Any]:
    """Opens pages in browsers of their own, whose camera sees the scene given."""
    opened: list[tuple[Browser, Visit]] = []

    def open_page(image: Image.Image, *, is_allowed: bool = True, **options: Any) -> Visit:
        args = [
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera_file(tmp_path, image)}",
        ]
        if is_allowed:
            args.append("--use-fake-ui-for-media-stream")
        running = browser.browser_type.launch(executable_path=find_chromium(), args=args)
        visit = Visit(running, server, **options)
        opened.append((running, visit))
        return visit

    yield open_page
    for running, _ in opened:
        running.close()
    assert [visit.errors for _, visit in opened] == [[] for _ in opened]


def video(visit: Visit) -> Locator:
    return visit.page.locator("#video")


def start_camera(visit: Visit) -> None:
    visit.page.locator("#camera").click()
    expect(video(visit)).to_be_visible()
    wait_until(visit.page, "() => document.getElementById('video').videoWidth > 0")


IS_ON = "video => video.srcObject !== null && video.srcObject.getTracks().some((track) => track.readyState === 'live')"


@pytest.mark.parametrize(("width", "height"), [(1100, 800), (390, 844)])
def test_the_camera_takes_what_is_in_the_frame(with_camera, width: int, height: int) -> None:
    page = with_camera(scene(with_neighbours=True), viewport={"width": width, "height": height})
    start_camera(page)
    assert video(page).evaluate(IS_ON)
    page.page.evaluate("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    page.page.locator("#shoot").click()
    # One character: the neighbours, which the page shows beside the frame, are not on the picture.
    page.expect_state("ready")
    expect(page.page.locator("#char")).to_have_text("R")
    expect(picture(page)).to_be_visible()
    expect(video(page)).to_be_hidden()
    assert page.page.evaluate("track.readyState") == "ended"
    width, height = picture(page).evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert width == height


def test_the_frame_that_is_shown_is_what_is_taken(with_camera) -> None:
    page = with_camera(scene(with_neighbours=False))
    start_camera(page)
    inset = page.page.evaluate("import('/static/camera.js').then((m) => m.AIM_INSET)")
    edges = page.page.locator(".stage").evaluate(
        """stage => { const { top, left, right, bottom } = getComputedStyle(stage, "::after");
            return [top, left, right, bottom].map((edge) => parseFloat(edge) / stage.clientWidth); }"""
    )
    assert edges == pytest.approx([inset] * 4, abs=0.005)
    assert video(page).evaluate("video => getComputedStyle(video).objectFit") == "cover"


def test_the_camera_goes_off_when_it_is_not_wanted(with_camera) -> None:
    page = with_camera(scene(with_neighbours=False))
    start_camera(page)
    page.page.evaluate("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    page.page.locator("#cancel-camera").click()
    expect(video(page)).to_be_hidden()
    assert page.page.evaluate("track.readyState") == "ended"
    # Cancelled before the browser gave it: it goes off as soon as it is there.
    page.page.evaluate(
        """() => {
            const media = navigator.mediaDevices;
            const ask = media.getUserMedia.bind(media);
            media.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                await new Promise((resolve) => { window.give = resolve; });
                window.track = stream.getTracks()[0];
                return stream;
            };
        }"""
    )
    page.page.locator("#camera").click()
    wait_until(page.page, "() => window.give !== undefined")
    page.page.locator("#cancel-camera").click()
    page.page.evaluate("give()")
    wait_until(page.page, "() => window.track.readyState === 'ended'")
    expect(video(page)).to_be_hidden()
    page.expect_state("empty")


def test_the_camera_goes_off_when_nobody_looks(with_camera) -> None:
    page = with_camera(scene(with_neighbours=False))
    start_camera(page)
    page.page.evaluate("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    page.page.evaluate(
        """() => {
            Object.defineProperty(document, "visibilityState", { value: "hidden" });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    assert page.page.evaluate("track.readyState") == "ended"
    expect(video(page)).to_be_hidden()
    expect(page.page.locator(".stage")).to_have_attribute("data-mode", "drawing")


def test_a_camera_that_is_lost_is_told(with_camera) -> None:
    page = with_camera(scene(with_neighbours=False))
    start_camera(page)
    # As the browser does when it is unplugged.
    video(page).evaluate("video => video.srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect_words(page, "The camera does not answer")
    expect(video(page)).to_be_hidden()


def test_a_camera_that_is_forbidden_is_told(with_camera) -> None:
    page = with_camera(scene(with_neighbours=False), is_allowed=False)
    page.page.locator("#camera").click()
    expect_words(page, "The camera is not allowed")
    expect(video(page)).to_be_hidden()
    page.draw([[[5, 0], [5, 40], [30, 40]]])
    page.expect_state("ready")


def test_no_camera_is_told(visit) -> None:
    page = visit(permissions=["camera"])
    page.page.locator("#camera").click()
    expect_words(page, "No camera found")


def test_another_failure_of_the_camera_is_told(visit) -> None:
    page = visit()
    page.page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
            () => Promise.reject(new DOMException("in use", "NotReadableError")); }"""
    )
    page.page.locator("#camera").click()
    expect_words(page, "The camera does not answer")


def test_an_insecure_page_offers_no_camera(visit) -> None:
    page = visit()
    expect(page.page.locator("#camera")).to_be_visible()
    page.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.page.reload()
    expect(page.page.locator("#examples button").first).to_be_visible()
    expect(page.page.locator("#camera")).to_be_hidden()
