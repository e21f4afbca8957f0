"""Pictures read on the device: the ink, the glyphs, the lines and the answers of Python."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from penread import glyph as glyphs
from penread import lines, paper
from penread.image import picture
from tests.device.planes import in_arrays, levels_of, plane, shown
from tests.device.test_reader import Reader, words_of
from tests.glyph import test_paper as papers
from tests.golden.make import HERE
from tests.golden.test_golden import IMAGES, decoded
from tests.made import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Page

STROKES = {each["label"]: each["strokes"] for each in drawn()}
CHANGES = [
    papers.lamp,
    papers.shadow,
    papers.half_in_the_dark,
    papers.grain,
    papers.jpeg,
    papers.ruled,
    papers.squared,
    papers.boxed,
    papers.boxed_to_the_edge,
    papers.specks,
    papers.neighbours,
    papers.scanned_with_an_edge,
    papers.on_a_card,
    papers.on_a_turned_card,
]


def pictures() -> dict[str, np.ndarray]:
    """Characters on paper of many kinds, by name."""
    images = {
        f"{change.__name__} {label}": change(papers.drawing(STROKES[label])) for change in CHANGES for label in "Ae7"
    }
    for number, (ink, sheet) in enumerate(
        [((40, 60, 190), (250, 250, 248)), ((235, 40, 40), (20, 130, 30)), ((240, 240, 235), (25, 70, 50))]
    ):
        images[f"colours {number}"] = papers.drawing(STROKES["R"], ink=ink, paper=sheet)
    images |= {f"pen {pen}": papers.drawing(STROKES["K"], pen=pen) for pen in (1, 2, 5, 20, 34, 60)}
    images["tiny"] = papers.drawing(STROKES["B"], pen=20).resize((24, 20))
    images["soft"] = papers.drawing(STROKES["B"], pen=20).resize((28, 28)).resize((300, 300))
    images["inverted"] = Image.eval(papers.lamp(papers.drawing(STROKES["W"])), lambda level: 255 - level)
    images["nothing"] = Image.new("RGB", (300, 200), (240, 240, 230))
    images["one pixel"] = Image.new("L", (1, 1), 7)
    return {name: picture(image, 1024)[0] for name, image in images.items()}


def glyph_of(ink: dict[str, Any]) -> np.ndarray:
    [glyph] = in_arrays("inkmap.js", "fromInkMap", [[ink]])
    return np.asarray(glyph).reshape(28, 28).astype(int)


def test_the_golden_glyphs() -> None:
    maps = in_arrays("paper.js", "character", [[shown(picture(HERE / name, 1024)[0])] for name in IMAGES])
    made = in_arrays("inkmap.js", "fromInkMap", [[ink] for ink in maps])
    for name, glyph in zip(IMAGES, made, strict=True):
        difference = np.abs(np.asarray(glyph).reshape(28, 28) - decoded(IMAGES[name]))
        assert difference.mean() <= 0.5, name
        assert difference.max() <= 24, name


def test_the_ink_and_the_glyphs_are_pythons() -> None:
    given = pictures()
    maps = in_arrays("paper.js", "character", [[shown(levels)] for levels in given.values()])
    wanted = {name: paper.character(levels) for name, levels in given.items()}
    assert [ink is None for ink in maps] == [ink is None for ink in wanted.values()]
    there = {name: ink for name, ink in zip(given, maps, strict=True) if ink is not None}
    assert len(there) == len(given) - 2
    made = in_arrays("inkmap.js", "fromInkMap", [[ink] for ink in there.values()])
    for (name, ink), glyph in zip(there.items(), made, strict=True):
        expected = wanted[name]
        assert expected is not None
        assert np.abs(levels_of(ink) - expected).mean() < 0.002, name
        difference = np.abs(np.asarray(glyph).reshape(28, 28) - glyphs.from_ink_map(expected).astype(int))
        assert difference.mean() <= 0.5, name


@pytest.mark.parametrize("soft", [0, 1, 4])
@pytest.mark.parametrize("pen", [1, 4, 9, 40])
def test_a_map_of_ink_as_a_glyph(pen: int, soft: int) -> None:
    drawing = papers.drawing(STROKES["3"], pen=pen).convert("L").reduce(2 * soft or 1).resize((200, 200))
    ink = 1 - np.asarray(drawing, np.float32) / np.float32(255)
    assert np.abs(glyph_of(plane(ink)) - glyphs.from_ink_map(ink)).max() <= 1


def written(seed: int) -> Image.Image:
    """A page of words, a little turned, under a lamp."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (1200, 700), (245, 243, 235))
    draw = ImageDraw.Draw(page)
    for row in range(4):
        x = 80.0
        while x < 1050:
            label = list(STROKES)[rng.integers(len(STROKES))]
            size = rng.uniform(0.55, 0.7)
            for stroke in STROKES[label]:
                path = [(x + px * size, 90 + 140 * row + py * size + x * 0.03) for px, py in stroke]
                draw.line(path, fill=(30, 30, 90), width=6, joint="curve")
            x += size * 80 + (50 if rng.random() < 0.25 else 8)
    shade = 1 - 0.5 * np.linspace(0, 1, page.width)[None, :, None]
    return Image.fromarray((np.asarray(page) * shade).astype(np.uint8))


@pytest.mark.parametrize("seed", range(3))
def test_pages_and_their_lines(seed: int) -> None:
    page = papers.jpeg(papers.printed_beneath(written(seed), [(0, y, 1200, y) for y in range(50, 700, 70)]), 80)
    levels, _ = picture(page, 2600)
    [found] = in_arrays("paper.js", "page", [[shown(levels)]])
    wanted = paper.page(levels)
    assert wanted is not None
    assert np.abs(levels_of(found) - wanted).mean() < 0.001
    [here] = in_arrays("lines.js", "fromInkMap", [[plane(wanted)]])
    there = lines.from_ink_map(wanted)
    assert len(here) == len(there) >= 4
    for ours, theirs in zip(here, there, strict=True):
        assert [word["pieces"] for word in ours["words"]] == [word.pieces for word in theirs.words]
        assert ours["slope"] == pytest.approx(theirs.slope)
        for word, expected in zip(ours["words"], theirs.words, strict=True):
            for span, other in zip(word["spans"], expected.spans, strict=True):
                assert (span["first"], span["last"]) == (other.first, other.last)
                assert list(span["box"].values()) == pytest.approx(list(vars(other.box).values()))
                assert span["logPrior"] == pytest.approx(other.log_prior, abs=1e-3)
                assert np.abs(np.asarray(span["glyph"]).reshape(28, 28) - other.glyph.astype(int)).max() <= 2


def test_a_large_map_is_halved() -> None:
    ink = np.zeros((3000, 3200), np.float32)
    for left in (200, 1300, 2400):
        ink[300:2700, left : left + 600] = 1
    [[ours]] = in_arrays("lines.js", "fromInkMap", [[plane(ink)]])
    [theirs] = lines.from_ink_map(ink)
    assert list(ours["box"].values()) == list(vars(theirs.box).values()) == [200, 300, 3000, 2700]


# What is shrunk by more than four, Pillow shrinks in two steps.
@pytest.mark.parametrize("longest_px", [80, 111, 300, 1000])
@pytest.mark.parametrize("clear", [False, True])
def test_shrinking_and_laying_on_paper(longest_px: int, clear: bool) -> None:
    image = papers.drawing(STROKES["M"], pen=9).resize((317, 211))
    if clear:
        image.putalpha(Image.fromarray(np.random.default_rng(1).integers(0, 256, (211, 317), np.uint8)))
    wanted, _ = picture(image, longest_px)
    rgba = np.asarray(image.convert("RGBA"))
    strips = [
        {"data": rgba[top : top + 100], "width": 317, "height": len(rgba[top : top + 100])} for top in (0, 100, 200)
    ]
    [shrunk] = in_arrays("picture.js", "shrink", [[strips, 317, 211, longest_px]])
    [laid] = in_arrays("picture.js", "onPaper", [[shrunk]])
    found = np.stack(laid["channels"], axis=1).reshape(laid["height"], laid["width"], 3)
    assert found.shape == wanted.shape
    # What is nearly clear has colours of few levels in Pillow.
    assert np.abs(found.astype(int) - wanted).max() <= (3 if clear else 1)


@pytest.mark.parametrize(("alpha", "ink"), [(0, 0), (0, 255), (200, 0), (200, 255)])
def test_ink_on_clear_paper(alpha: int, ink: int) -> None:
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((20, 10, 30, 50), fill=(ink, ink, ink, alpha))
    pixels = {"data": np.asarray(image), "width": 60, "height": 60}
    [laid] = in_arrays("picture.js", "onPaper", [[pixels]])
    wanted = picture(image, 100)[0]
    assert np.abs(laid["channels"][0].reshape(60, 60).astype(int) - wanted[:, :, 0]).max() <= 1


# ---------------------------------------------------------------------------------------------------------------------
# In the browser


@pytest.fixture
def reader(site: Page) -> Reader:
    return Reader(site)


def ask(reader: Reader, method: str, image: bytes, **how: Any) -> dict[str, Any]:
    answer: dict[str, Any] = reader.page.evaluate(
        "([method, bytes, how]) => ask(method, new Blob([Uint8Array.from(bytes)]), how)", [method, list(image), how]
    )
    return answer


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def served(server: str, image: bytes, endpoint: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx2.post(f"{server}/api/v1/{endpoint}", files={"image": ("picture", image)}).json()
    return answer


def test_a_character_is_read_as_on_the_server(reader: Reader, server: str) -> None:
    for label, change in (("A", papers.boxed), ("K", papers.shadow), ("3", papers.ruled)):
        image = encoded(change(papers.drawing(STROKES[label])))
        here, there = ask(reader, "recognizePicture", image), served(server, image, "predict")
        assert here["kind"] == "character"
        assert (here["char"], here["model"]) == (there["char"], there["model"])
        assert here["confidence"] == pytest.approx(there["confidence"], abs=0.03)
        assert [each["char"] for each in here["candidates"]] == [each["char"] for each in there["candidates"]]
        wanted = glyphs.from_image(image).ravel().astype(int)
        assert np.abs(np.array(here["glyph"]) - wanted).mean() <= 0.5
    image = encoded(papers.drawing(STROKES["C"]))
    assert ask(reader, "recognizePicture", image, charset="lower")["char"] == "c"
    assert ask(reader, "recognizePicture", image, charset="é")["failure"] == "charset"
    why = ask(reader, "explain", encoded(papers.drawing(STROKES["E"])), char="F")
    assert why["char"] == "F"
    assert sum(map(sum, why["importance"][20:])) < -1


def test_a_page_is_read_as_on_the_server(reader: Reader, server: str) -> None:
    page = written(7)
    image = encoded(page.resize((page.width * 5 // 2, page.height * 5 // 2)))
    here, there = ask(reader, "recognizePicture", image), served(server, image, "read")
    assert (here["kind"], here["text"]) == ("text", there["text"])
    assert len(here["lines"]) == 4
    assert (here["width"], here["height"]) == (there["width"], there["height"]) == (3000, 1750)
    for ours, theirs in zip(words_of(here), words_of(there), strict=True):
        assert ours[1:] == pytest.approx(theirs[1:], abs=2)


def test_a_photograph_that_lies_on_its_side_is_set_upright(reader: Reader, server: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    page = written(9)
    image = encoded(page.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    here, there = ask(reader, "recognizePicture", image), served(server, image, "read")
    assert (here["width"], here["height"]) == (there["width"], there["height"]) == page.size
    assert here["text"] == there["text"]


def test_a_drawing_without_paper(reader: Reader) -> None:
    for ink in (0, 255):
        drawing = Image.new("RGBA", (200, 200), (ink, ink, ink, 0))
        line = [(60, 30), (60, 160), (130, 160)]
        ImageDraw.Draw(drawing).line(line, fill=(ink, ink, ink, 255), width=14)
        for kind in ("PNG", "WEBP"):
            assert ask(reader, "recognizePicture", encoded(drawing, kind))["char"] == "L"


def test_an_empty_sheet_is_blank(reader: Reader) -> None:
    answer = ask(reader, "recognizePicture", encoded(Image.new("RGB", (400, 300), (230, 230, 225))))
    assert (answer["kind"], answer["rejected"], max(answer["glyph"])) == ("character", "blank", 0)
    assert ask(reader, "explain", encoded(Image.new("L", (30, 30), 9)), char="A")["failure"] == "refused"


def test_what_is_no_picture_is_told_and_the_thread_stays(reader: Reader) -> None:
    page = papers.drawing(STROKES["B"])
    whole = encoded(page)
    tiff = encoded(page, "TIFF")
    for damaged in (b"", b"x", b"%PDF-1.7", whole[:40], tiff):
        assert ask(reader, "recognizePicture", damaged)["failure"] == "picture"
        assert ask(reader, "explain", damaged, char="B")["failure"] == "picture"
    vast = encoded(Image.new("1", (8000, 5001), 1))
    assert ask(reader, "recognizePicture", vast)["failure"] == "picture"
    assert ask(reader, "recognizePicture", whole)["char"] == "B"
    assert reader.fetched(".onnx", "worker.js") == ["device/worker.js", "model/model.onnx"]


def test_a_picture_can_be_given_up(reader: Reader) -> None:
    answers = reader.page.evaluate(
        """async (bytes) => {
            const blob = new Blob([Uint8Array.from(bytes)]);
            await ask("load");
            const controllers = [1, 2, 3].map(() => new AbortController());
            const asked = controllers.map(({ signal }) => ask("recognizePicture", blob, { signal }));
            for (const controller of controllers.slice(0, -1)) controller.abort();
            return Promise.all(asked);
        }""",
        list(encoded(written(3))),
    )
    assert [answer.get("failure") for answer in answers] == ["AbortError", "AbortError", None]
    assert answers[2]["kind"] == "text"
