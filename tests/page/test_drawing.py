"""The drawing area: what mouse, fingers, pen and eraser leave, and what undo and redo bring back."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread import Ink, Recognizer
from tests.page.visit import Fingers, Pen, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from playwright.sync_api import Browser

Place = tuple[float, float]

# The canvas under test lies over the page, here.
LEFT, TOP, SIDE = 20, 30, 400

PEN_PX = 0.042 * SIDE
ERASER_PX = 0.035 * SIDE
# Ink is gone as far from the eraser's middle: its round end then just touches the eraser.
REACH_PX = ERASER_PX + PEN_PX / 2

ATTACH = """async ([left, top, side]) => {
    const { createDrawingArea } = await import("/static/canvas.js");
    const canvas = document.createElement("canvas");
    canvas.id = "area";
    const place = { position: "fixed", left: `${left}px`, top: `${top}px`, width: `${side}px`, height: `${side}px` };
    Object.assign(canvas.style, place, { zIndex: 99, color: "rgb(200, 30, 30)", background: "white" });
    document.body.append(canvas);
    window.heard = [];
    window.area = createDrawingArea(canvas, {
        onChange: () => heard.push("change"),
        onStrokeEnd: () => heard.push("end"),
    });
}"""

# Events of pointers, all within a moment however busy the machine is.
PLAY = """([left, top, events]) => {
    for (const [type, pointerType, x, y, buttons] of events) {
        const pointerId = { mouse: 1, touch: 2, pen: 3 }[pointerType];
        const button = type === "pointermove" ? -1 : buttons & 32 ? 5 : 0;
        const event = { pointerId, pointerType, buttons, button, clientX: left + x, clientY: top + y, bubbles: true };
        document.getElementById("area").dispatchEvent(new PointerEvent(type, event));
    }
}"""

# The ink of a part of the canvas, a byte for each pixel of the screen, and how many there are to a row.
INK = """([left, top, right, bottom]) => {
    const canvas = document.getElementById("area");
    const density = canvas.width / canvas.clientWidth;
    const [x, y, width, height] = [left, top, right - left, bottom - top].map((value) => Math.round(value * density));
    const { data } = canvas.getContext("2d").getImageData(x, y, width, height);
    let bytes = "";
    for (let index = 3; index < data.length; index += 4) bytes += String.fromCharCode(data[index]);
    return [btoa(bytes), width];
}"""


class Area:
    """A drawing area of its own over the page; places are in its CSS pixels."""

    def __init__(self, visit: Visit) -> None:
        self.page = visit.page
        self.page.evaluate(ATTACH, [LEFT, TOP, SIDE])

    def ask(self, call: str, *values: Any) -> Any:
        return self.page.evaluate(f"(values) => area.{call}(...values)", list(values))

    @property
    def strokes(self) -> list[list[list[float]]]:
        strokes: list[list[list[float]]] = self.ask("strokes")
        return strokes

    def heard(self) -> list[str]:
        """What the page was told since it was last asked."""
        heard: list[str] = self.page.evaluate("window.heard.splice(0)")
        return heard

    def play(self, *events: tuple[str, str, float, float, int]) -> None:
        """Sends events of pointers, each its type, the pointer's, its place and its buttons."""
        self.page.evaluate(PLAY, [LEFT, TOP, events])

    def mouse(self, *path: Place, steps: int = 1) -> None:
        places = [at(place) for place in path]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=steps)
        self.page.mouse.up()

    def erase(self, *path: Place) -> None:
        self.ask("setTool", "eraser")
        self.mouse(*path)
        self.ask("setTool", "pen")

    def ink(self, left: float = 0, top: float = 0, right: float = SIDE, bottom: float = SIDE) -> NDArray[np.int64]:
        """How much of each pixel of the screen is ink, 0 to 255: (rows, columns)."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        encoded, width = self.page.evaluate(INK, [left, top, right, bottom])
        return np.frombuffer(b64decode(encoded), dtype=np.uint8).astype(np.int64).reshape(-1, width)

    def thickness(self, x: float) -> float:
        """How thick the ink is that crosses a column of pixels, in CSS pixels."""
        return float(self.ink(x, 0, x + 1, SIDE)[:, 0].sum() / 255)


def at(place: Place) -> Place:
    return place[0] + LEFT, place[1] + TOP


@pytest.fixture(scope="module")
def bare(browser: Browser, server: str) -> Iterator[Visit]:
    """A visit of an address of the server's that is no page: nothing is there but what a test brings."""
    visit = Visit(browser, f"{server}/healthz")
    # The server's own answers that are no page may load nothing, so this one is made here.
    visit.context.route(f"{server}/bare", lambda route: route.fulfill(body="", content_type="text/html"))
    yield visit
    visit.context.close()


@pytest.fixture
def area(bare: Visit, server: str) -> Iterator[Area]:
    """A drawing area in a document of its own: none of the last test's is left."""
    bare.page.goto(f"{server}/bare")
    bare.page.mouse.move(0, 0)
    yield Area(bare)
    bare.page.mouse.up()
    # Where there is no page, there is no icon of it.
    errors = [error for error in bare.errors if "Failed to load resource" not in error]
    bare.errors.clear()
    assert errors == []


@pytest.fixture
def touched(visit: Callable[..., Visit]) -> tuple[Area, Fingers]:
    opened = visit(has_touch=True)
    return Area(opened), Fingers(opened.page)


def shape(strokes: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    """The two ends of every stroke, in whole pixels."""
    return [[round(value) for end in (stroke[0], stroke[-1]) for value in end] for stroke in strokes]


def test_every_touch_of_the_mouse_is_a_stroke(area: Area) -> None:
    assert (area.ask("strokeCount"), area.ask("canUndo"), area.ask("canRedo")) == (0, False, False)
    area.mouse((100, 100), (100, 300), (250, 300), steps=8)
    assert area.heard().count("end") == 1
    area.mouse((250, 100), (250, 200))
    assert shape(area.strokes) == [[100, 100, 250, 300], [250, 100, 250, 200]]
    assert len(area.strokes[0]) == 17
    heard = area.heard()
    assert heard[-1] == "end"
    assert "change" in heard[:-1]
    assert area.ask("side") == SIDE


def test_undo_and_redo_go_by_stroke_and_a_new_stroke_drops_what_was_undone(area: Area) -> None:
    lines: list[list[Place]] = [[(50, 50), (50, 350)], [(150, 50), (150, 350)], [(250, 50), (250, 350)]]
    for line in lines:
        area.mouse(*line)
    drawn, inked = area.strokes, area.ink()
    area.heard()
    revision = area.ask("revision")
    area.ask("undo")
    area.ask("undo")
    assert area.strokes == drawn[:1]
    assert area.ask("revision") == revision + 2
    assert area.heard() == ["change", "end"] * 2
    assert area.ink()[:, 100:].sum() == 0
    area.ask("redo")
    assert area.strokes == drawn[:2]
    area.ask("redo")
    assert area.strokes == drawn
    assert not area.ask("canRedo")
    assert (area.ink() == inked).all()
    area.heard()
    area.ask("redo")
    assert area.heard() == []

    area.ask("undo")
    area.mouse((350, 50), (350, 350))
    assert not area.ask("canRedo")
    area.ask("redo")
    assert [stroke[0][0] for stroke in area.strokes] == [50, 150, 350]
    for _ in range(3):
        area.ask("undo")
    assert (area.strokes, area.ask("canUndo"), area.ask("canRedo")) == ([], False, True)
    assert area.ink().sum() == 0
    area.heard()
    area.ask("undo")
    assert area.heard() == []


def test_clear_load_and_erase_are_steps_that_can_be_undone(area: Area) -> None:
    area.ask("clear")
    assert (area.heard(), area.ask("canUndo")) == ([], False)
    area.mouse((50, 200), (350, 200))
    drawn = area.strokes
    # One gesture, though it cuts in many places and moves: one step.
    area.erase((100, 200), (100, 100), (300, 100), (300, 200))
    erased = area.strokes
    assert len(erased) == 3
    area.ask("clear")
    area.ask("load", [[[0.25, 0.25], [0.75, 0.5]], [[0.5, 0.75]], []])
    loaded = area.strokes
    assert loaded == [[[100, 100], [300, 200]], [[200, 300]]]
    states = [loaded, [], erased, drawn, []]
    for state in states[1:]:
        area.ask("undo")
        assert area.strokes == state
    for state in reversed(states[:-1]):
        area.ask("redo")
        assert area.strokes == state


def test_undo_and_clear_while_the_pen_is_down_count_its_stroke(area: Area) -> None:
    area.mouse((50, 50), (50, 350))
    area.page.mouse.move(*at((150, 50)))
    area.page.mouse.down()
    area.page.mouse.move(*at((150, 200)))
    assert area.ask("isDrawing")
    area.ask("undo")
    assert not area.ask("isDrawing")
    # The mouse still moves, but the stroke is over.
    area.page.mouse.move(*at((150, 350)))
    area.page.mouse.up()
    assert shape(area.strokes) == [[50, 50, 50, 350]]
    area.ask("redo")
    assert shape(area.strokes) == [[50, 50, 50, 350], [150, 50, 150, 200]]

    area.page.mouse.move(*at((250, 50)))
    area.page.mouse.down()
    area.page.mouse.move(*at((250, 200)))
    area.ask("clear")
    area.page.mouse.up()
    assert area.strokes == []
    area.ask("undo")
    assert len(area.strokes) == 3


@pytest.mark.parametrize("steps", [1, 40])
def test_the_eraser_cuts_a_line_at_its_edge(area: Area, steps: int) -> None:
    """However far apart the line's points are, and the eraser's."""
    area.mouse((50, 200), (350, 200), steps=steps)
    area.erase((200, 60), (200, 340))
    left, right = area.strokes
    assert left[0] == [50, 200]
    assert left[-1] == pytest.approx([200 - REACH_PX, 200], abs=0.01)
    assert right[0] == pytest.approx([200 + REACH_PX, 200], abs=0.01)
    assert right[-1] == [350, 200]
    # No ink is left where the eraser was, and none is missing beside it.
    gap = np.flatnonzero(area.ink(60, 200, 340, 201)[0] == 0) + 60
    assert gap[[0, -1]] == pytest.approx([200 - ERASER_PX, 200 + ERASER_PX], abs=1.5)
    assert len(gap) == gap[-1] - gap[0] + 1


def test_the_eraser_takes_nothing_that_it_does_not_touch(area: Area) -> None:
    area.mouse((100, 100), (300, 100))
    area.mouse((200, 300))
    before = area.strokes
    area.heard()
    area.erase((60, 100 + REACH_PX + 1.5), (340, 100 + REACH_PX + 1.5))
    area.erase((200 + REACH_PX + 1, 300))
    assert area.strokes == before
    assert area.heard() == ["end"] * 2
    area.ask("undo")
    assert area.ask("strokeCount") == 1, "to erase nothing was a step"
    area.ask("redo")
    area.erase((200 + REACH_PX - 1, 300))
    assert area.strokes == before[:1]


def test_crumbs_vanish(area: Area) -> None:
    area.mouse((100, 100), (200, 100))
    crumb_px = PEN_PX - 2
    area.erase((100 + crumb_px + REACH_PX, 100))
    [rest] = area.strokes
    assert rest[0] == pytest.approx([100 + crumb_px + 2 * REACH_PX, 100], abs=0.6)
    area.ask("undo")
    area.erase((100 + PEN_PX + 2 + REACH_PX, 100))
    assert len(area.strokes) == 2


def test_the_eraser_follows_a_round_line_and_keeps_order(area: Area) -> None:
    """Cut with the eraser's own geometry, sampled: what is left is all that is out of its reach, and nothing else."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        line = rng.uniform(0, 1, (12, 2)).tolist()
        way = rng.uniform(0, 1, (2, 2)).tolist()
        area.ask("load", [line])
        left = area.page.evaluate(
            """async ([points, [from, to], radius]) => {
                const { erase } = await import("/static/eraser.js");
                return erase([{ points, width: 0, swells: null }], from, to, radius).map((stroke) => stroke.points);
            }""",
            [line, way, 0.1],
        )
        places = dense([line])
        far = distances(places, np.array(way)) > 0.1
        # The same length of line is left, in the same order, and none of it in reach.
        assert len(dense(left)) == pytest.approx(far.sum(), abs=0.002 * len(places) + 12)
        assert (distances(dense(left), np.array(way)) >= 0.1 - 1e-9).all()
        ends = [tuple(point) for stroke in left for point in stroke]
        assert [point for point in ends if list(point) in line] == [
            tuple(point) for point in line if distances(np.array([point]), np.array(way))[0] > 0.1
        ]


def dense(strokes: Sequence[Sequence[Sequence[float]]]) -> NDArray[np.float64]:
    """Points all along strokes, a thousandth apart: (points, 2)."""
    parts = [np.zeros((0, 2))]
    for stroke in strokes:
        for start, end in zip(np.array(stroke[:-1]), np.array(stroke[1:]), strict=True):
            count = int(np.hypot(*(end - start)) / 0.001)
            parts.append(start + (end - start) * ((np.arange(count) + 0.5) / max(count, 1))[:, None])
    return np.concatenate(parts)


def distances(points: NDArray[np.float64], line: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points (n, 2) are from the line between two places (2, 2): (n,)."""
    step = line[1] - line[0]
    share = np.clip((points - line[0]) @ step / (step @ step), 0, 1)
    nearest = np.linalg.norm(points - line[0] - share[:, None] * step, axis=1)
    return np.asarray(nearest, dtype=np.float64)


def test_a_p_with_its_bowl_erased_reads_as_what_is_left(area: Area, recognizer: Recognizer) -> None:
    bowl: list[Place] = [(130 + 80 * np.sin(turn), 150 - 70 * np.cos(turn)) for turn in np.linspace(0, np.pi, 20)]
    area.mouse((130, 80), (130, 340), steps=10)
    area.mouse(*bowl)
    assert recognizer.predict(Ink(area.strokes)).char == "P"
    # Away with all but the foot of an L, which is drawn after.
    area.erase((155, 40), (155, 250), (200, 220), (205, 90), (180, 95))
    area.mouse((130, 340), (260, 340))
    assert recognizer.predict(Ink(area.strokes)).char == "L"
    area.ask("undo")
    area.ask("undo")
    assert recognizer.predict(Ink(area.strokes)).char == "P"


def test_the_circle_of_the_eraser_shows_what_it_takes(area: Area) -> None:
    area.ask("setTool", "eraser")
    assert area.ask("tool") == "eraser"
    area.page.mouse.move(*at((200, 200)))
    rows, columns = np.nonzero(area.ink())
    for low, high in ((rows.min(), rows.max()), (columns.min(), columns.max())):
        assert [low, high + 1] == pytest.approx([200 - ERASER_PX, 200 + ERASER_PX], abs=1.5)
    area.page.mouse.move(*at((100, 300)))
    assert area.ink(150, 150, 250, 250).sum() == 0
    # It is no ink.
    assert area.strokes == []
    area.page.mouse.move(LEFT + SIDE + 50, TOP + 50)
    assert area.ink().sum() == 0
    area.page.mouse.move(*at((200, 200)))
    area.ask("setTool", "pen")
    assert area.ink().sum() == 0


def test_each_stroke_keeps_the_width_of_its_pen(area: Area) -> None:
    area.mouse((50, 100), (350, 100))
    area.ask("setWidth", 0.1)
    area.mouse((50, 200), (350, 200))
    area.ask("setWidth", 0.02)
    area.mouse((50, 300), (350, 300))

    def widths() -> list[float]:
        return [float(area.ink(200, top, 201, top + 100).sum() / 255) for top in (50, 150, 250)]

    assert widths() == pytest.approx([PEN_PX, 0.1 * SIDE, 0.02 * SIDE], abs=1)
    area.ask("undo")
    area.ask("undo")
    area.ask("redo")
    area.ask("redo")
    area.erase((300, 50), (300, 350))
    assert widths() == pytest.approx([PEN_PX, 0.1 * SIDE, 0.02 * SIDE], abs=1)
    # The wider its pen, the earlier a line touches the eraser.
    ends = [stroke[-1][0] for stroke in area.strokes if stroke[0][0] < 60]
    expected = [300 - ERASER_PX - width / 2 for width in (PEN_PX, 0.1 * SIDE, 0.02 * SIDE)]
    assert ends == pytest.approx(expected, abs=0.1)


def test_the_line_swells_with_the_pressure_of_a_pen(area: Area) -> None:
    pen = Pen(area.page)
    pen.down(at((50, 200)), force=0.1)
    for x in range(55, 351, 5):
        pen.move(at((x, 200)), force=0.1 + 0.9 * (x - 50) / 300)
    pen.up(at((350, 200)))
    thin, middle, thick = (area.thickness(x) for x in (65, 200, 340))
    assert thin == pytest.approx(PEN_PX * (0.5 + 0.1 + 0.9 * 15 / 300), abs=1.2)
    assert middle == pytest.approx(PEN_PX * (0.5 + 0.55), abs=1.2)
    assert thick == pytest.approx(PEN_PX * (0.5 + 0.97), abs=1.2)
    # It swells smoothly: no step from one pixel to the next that an eye would see.
    ink = area.ink(60, 150, 340, 250).sum(axis=0) / 255
    assert np.abs(np.diff(ink)).max() < 1
    # And pressure is for the eye alone: the ink is where the pen was.
    [stroke] = area.strokes
    assert {y for _, y in stroke} == {200}


@pytest.mark.parametrize("force", [0.0, 0.5, 1.0])
def test_a_pen_without_pressure_has_an_even_line(area: Area, force: float) -> None:
    pen = Pen(area.page)
    pen.down(at((50, 200)), force=force)
    for x in range(60, 351, 10):
        pen.move(at((x, 200)), force=force)
    pen.up(at((350, 200)))
    assert [area.thickness(x) for x in (100, 200, 300)] == pytest.approx([PEN_PX] * 3, abs=0.5)


def test_a_pen_turned_round_erases(area: Area) -> None:
    area.mouse((50, 200), (350, 200))
    area.heard()
    area.play(
        ("pointerdown", "pen", 200, 200, 32),
        ("pointermove", "pen", 240, 200, 32),
        ("pointerup", "pen", 240, 200, 0),
    )
    left, right = area.strokes
    assert left[-1] == pytest.approx([200 - REACH_PX, 200], abs=0.01)
    assert right[0] == pytest.approx([240 + REACH_PX, 200], abs=0.01)
    assert area.heard()[-1] == "end"
    # Its circle is gone, and the pen's other end still writes.
    assert area.ink(200 - ERASER_PX, 150, 240 + ERASER_PX, 250).sum() < 255
    assert area.ask("tool") == "pen"
    area.mouse((100, 300), (300, 300))
    assert area.ask("strokeCount") == 3


def test_a_tap_that_slips_is_a_dot(touched: tuple[Area, Fingers], recognizer: Recognizer) -> None:
    area, fingers = touched
    area.mouse((200, 150), (200, 300), steps=6)
    assert recognizer.predict(Ink(area.strokes)).char in {"I", "L", "1"}
    fingers.send("touchStart", at((200, 100)))
    fingers.send("touchMove", at((201, 101)))
    # Even while it is down: it may be read then.
    assert area.strokes[1] == [[200, 100]]
    fingers.send("touchMove", at((202, 100)))
    fingers.send("touchEnd")
    assert area.strokes[1] == [[200, 100]]
    area.ask("clear")
    area.mouse((120, 120), (121, 120), (120, 122))
    assert area.strokes == [[[120, 120]]]
    assert recognizer.predict(Ink(area.strokes)).reason == "speck"
    # It shows as round as a dot is.
    rows, columns = np.nonzero(area.ink() > 127)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == pytest.approx(PEN_PX, abs=1)
    # What goes further is a stroke, and so is what comes back to where it began.
    area.ask("clear")
    area.mouse((100, 100), (106, 100))
    area.mouse((200, 200), (220, 200), (200, 200))
    assert [len(stroke) for stroke in area.strokes] == [2, 3]


def test_a_drawing_of_dots_and_strokes_is_sent_as_it_was_drawn(area: Area) -> None:
    """The colon of a mouse that slips: two dots, though the ink sent has no size."""
    area.mouse((200, 100), (201, 101))
    area.mouse((200, 200), (199, 200))
    assert area.strokes == [[[200, 100]], [[200, 200]]]
    glyph = Ink(area.strokes).glyph()
    assert glyph[:8].sum() > 0
    assert glyph[10:18].sum() == 0


def test_a_second_finger_changes_nothing_and_nothing_scrolls(visit: Callable[..., Visit]) -> None:
    opened = visit(viewport={"width": 480, "height": 480}, has_touch=True, is_mobile=True)
    area, fingers = Area(opened), Fingers(opened.page)
    opened.page.evaluate("document.body.style.minHeight = '3000px'")
    fingers.send("touchStart", at((100, 350)))
    for y in range(340, 90, -10):
        fingers.send("touchMove", at((100, y)))
    fingers.send("touchStart", at((100, 100)), at((300, 100)))
    fingers.send("touchMove", at((100, 100)), at((350, 50)))
    fingers.send("touchMove", at((150, 100)), at((390, 10)))
    fingers.send("touchEnd")
    assert shape(area.strokes) == [[100, 350, 150, 100]]
    for _ in range(2):
        fingers.send("touchStart", at((300, 300)))
        fingers.send("touchEnd")
    assert opened.page.evaluate("[scrollX, scrollY, visualViewport.scale, String(getSelection())]") == [0, 0, 1, ""]
    assert area.ask("strokeCount") == 3


def test_a_touch_that_is_cancelled_keeps_its_ink(touched: tuple[Area, Fingers]) -> None:
    area, fingers = touched
    fingers.send("touchStart", at((100, 100)))
    fingers.send("touchMove", at((100, 200)))
    area.heard()
    fingers.send("touchCancel")
    assert not area.ask("isDrawing")
    assert area.heard() == ["end"]
    assert shape(area.strokes) == [[100, 100, 100, 200]]
    area.ask("undo")
    assert area.strokes == []


def test_a_palm_does_not_write_while_a_pen_does(touched: tuple[Area, Fingers]) -> None:
    area, fingers = touched
    pen = Pen(area.page)
    pen.down(at((100, 100)))
    fingers.send("touchStart", at((300, 300)))
    fingers.send("touchMove", at((310, 300)))
    pen.move(at((100, 200)))
    fingers.send("touchEnd")
    pen.up(at((100, 200)))
    assert shape(area.strokes) == [[100, 100, 100, 200]]
    # A finger is a finger again a moment later.
    area.page.wait_for_timeout(700)
    fingers.send("touchStart", at((320, 320)))
    fingers.send("touchMove", at((380, 320)))
    fingers.send("touchEnd")
    assert area.ask("strokeCount") == 2


@pytest.mark.parametrize("hovers", [False, True])
def test_a_palm_set_down_between_two_letters_does_not_write(area: Area, hovers: bool) -> None:
    """The pen was lifted a moment ago, or hovers over the paper."""
    letter = [
        ("pointerdown", "pen", 100, 100, 1),
        ("pointermove", "pen", 100, 200, 1),
        ("pointerup", "pen", 100, 200, 0),
    ]
    palm = [("pointerdown", "touch", 320, 320, 1), ("pointermove", "touch", 380, 320, 1)]
    if hovers:
        area.play(*letter)
        area.page.wait_for_timeout(700)
        area.play(("pointermove", "pen", 150, 200, 0), *palm)
    else:
        area.play(*letter, *palm)
    assert not area.ask("isDrawing")
    assert shape(area.strokes) == [[100, 100, 100, 200]]


def test_a_palm_that_rests_when_the_pen_comes_is_taken_back(touched: tuple[Area, Fingers]) -> None:
    area, fingers = touched
    pen = Pen(area.page)
    fingers.send("touchStart", at((300, 300)))
    fingers.send("touchMove", at((330, 300)))
    assert area.ask("strokeCount") == 1
    pen.down(at((100, 100)))
    assert shape(area.strokes) == [[100, 100, 100, 100]]
    fingers.send("touchMove", at((380, 380)))
    pen.move(at((100, 200)))
    pen.up(at((100, 200)))
    fingers.send("touchEnd")
    assert shape(area.strokes) == [[100, 100, 100, 200]]
    assert area.ink(280, 280, 400, 400).sum() == 0


@pytest.mark.parametrize("end", [None, "pointerup", "pointercancel"])
def test_a_palm_taken_back_leaves_no_trace_in_undo_and_redo(area: Area, end: str | None) -> None:
    area.mouse((50, 50), (50, 350))
    area.mouse((350, 50), (350, 350))
    area.ask("undo")
    area.play(
        ("pointerdown", "touch", 300, 300, 1),
        ("pointermove", "touch", 330, 300, 1),
        *([(end, "touch", 330.0, 300.0, 0)] if end else []),
        ("pointermove", "pen", 100, 95, 0),
        ("pointerdown", "pen", 100, 100, 1),
    )
    area.ask("undo")
    # The pen's stroke went, and the palm with it, as it had never been.
    assert shape(area.strokes) == [[50, 50, 50, 350]]
    area.ask("undo")
    assert area.strokes == []
    area.ask("redo")
    area.ask("redo")
    assert shape(area.strokes) == [[50, 50, 50, 350], [100, 100, 100, 100]]


def test_a_finger_that_drew_before_the_pen_came_keeps_its_stroke(touched: tuple[Area, Fingers]) -> None:
    area, fingers = touched
    fingers.send("touchStart", at((300, 100)))
    fingers.send("touchMove", at((300, 200)))
    fingers.send("touchEnd")
    area.page.wait_for_timeout(700)
    pen = Pen(area.page)
    pen.down(at((100, 100)))
    pen.move(at((100, 200)))
    pen.up(at((100, 200)))
    assert shape(area.strokes) == [[300, 100, 300, 200], [100, 100, 100, 200]]


def test_a_stroke_ends_at_the_edge_and_its_gesture_is_one_step(area: Area) -> None:
    area.mouse((300, 100), (500, 100), (500, 200), (300, 200))
    there, back = area.strokes
    assert there == [[300, 100], [SIDE, 100]]
    assert back == [[SIDE, 200], [300, 200]]
    area.ask("undo")
    assert area.strokes == []


def test_a_button_let_go_unseen_ends_the_stroke(area: Area) -> None:
    """A menu or a window over the page may swallow the mouse's pointerup."""
    area.play(
        ("pointerdown", "mouse", 100, 100, 1),
        ("pointermove", "mouse", 100, 200, 1),
        ("pointermove", "mouse", 100, 300, 0),
    )
    assert not area.ask("isDrawing")
    assert area.strokes == [[[100, 100], [100, 200]]]


def test_what_is_painted_bit_by_bit_looks_as_if_painted_at_once(area: Area) -> None:
    """Only what changed is painted again, and nothing shows of that: not a seam, and nothing left behind."""
    rng = np.random.default_rng(2)
    for _ in range(4):
        path = np.clip(rng.uniform(60, 340, 2) + rng.normal(0, 40, (16, 2)).cumsum(axis=0), 20, 380).round()
        area.page.mouse.move(*at(tuple(path[0])))
        area.page.mouse.down()
        for place in path[1:]:
            area.page.mouse.move(*at(tuple(place)))
            area.page.evaluate("new Promise(requestAnimationFrame)")
        area.page.mouse.up()
    area.erase((60, 60), (340, 340))
    # Grazed, a line goes as a whole, far from the eraser's circle too.
    area.mouse((40, 380), (360, 380))
    area.erase((40, 380 - REACH_PX + 2), (360, 380 - REACH_PX + 2))
    area.page.mouse.move(LEFT + SIDE + 50, TOP + 50)
    painted = area.ink()
    assert painted.sum() > 255 * 1000
    # Undone and redone, all is painted at once. Edges may be smoothed otherwise, but no more than edges.
    area.ask("undo")
    area.ask("redo")
    at_once = area.ink()
    assert (painted[darkest_around(255 - at_once) == 0] == 255).all(), "a seam"
    assert (painted[darkest_around(at_once) == 0] == 0).all(), "something left behind"


def darkest_around(ink: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most ink among a pixel and the eight around it, for each pixel."""
    padded = np.pad(ink, 1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max(axis=(2, 3)))


@pytest.mark.parametrize("density", [1, 1.5, 3])
def test_the_drawing_is_sharp_and_keeps_its_place(visit: Callable[..., Visit], density: float) -> None:
    opened = visit(device_scale_factor=density)
    area = Area(opened)
    area.mouse((100, 100), (100, 300), (300, 300))
    assert area.page.evaluate("document.getElementById('area').width") == pytest.approx(SIDE * density, abs=1)
    before = area.strokes
    area.page.evaluate("Object.assign(document.getElementById('area').style, { width: '250px', height: '250px' })")
    scaled = [[[value * 250 / SIDE for value in point] for point in stroke] for stroke in before]
    assert np.array(area.strokes) == pytest.approx(np.array(scaled))
    assert area.ask("side") == 250
    rows, columns = np.nonzero(area.ink(0, 0, 250, 250) > 127)
    assert area.page.evaluate("document.getElementById('area').width") == pytest.approx(250 * density, abs=1)
    half = PEN_PX * 250 / SIDE / 2
    for found in (rows, columns):
        expected = np.array([100, 300]) * 250 / SIDE + [-half, half]
        assert np.array([found.min(), found.max() + 1]) / density == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("media", [{"color_scheme": "dark"}, {"forced_colors": "active"}])
def test_the_ink_follows_the_theme(visit: Callable[..., Visit], media: dict[str, Any]) -> None:
    opened = visit()
    area = Area(opened)
    # The page's own ink, as in its style sheet.
    area.page.evaluate("document.getElementById('area').style.color = 'light-dark(rgb(9, 9, 200), rgb(255, 220, 9))'")
    area.mouse((100, 200), (300, 200))
    colour = "document.getElementById('area').getContext('2d').getImageData(200, 200, 1, 1).data.slice(0, 3).join()"
    area.ink()
    assert area.page.evaluate(colour) == "9,9,200"
    opened.page.emulate_media(**media)
    area.ink()
    wanted = "255,220,9" if "color_scheme" in media else "0,0,0"
    assert area.page.evaluate(colour) == wanted


def test_a_long_day_of_drawing_keeps_its_last_steps(area: Area) -> None:
    """Undo has a bound, and keeps to it."""
    steps = area.page.evaluate("import('/static/history.js').then(({ MAX_STEPS }) => MAX_STEPS)")
    for number in range(2):
        area.page.evaluate(
            "([start, end]) => { for (let i = start; i < end; i++) area.load([[[i / 1000, 0.5]]]); }",
            [number * steps, number * steps + 5],
        )
    area.page.evaluate("(steps) => { for (let i = 0; i < steps; i++) area.load([[[i / 1000, 0.5]]]); }", steps)
    undone = 0
    while area.ask("canUndo"):
        area.page.evaluate("() => { for (let i = 0; i < 10; i++) area.undo(); }")
        undone += 10
    assert undone == steps
    assert area.ask("strokeCount") == 1
    area.page.evaluate("(steps) => { for (let i = 0; i < steps; i++) area.redo(); }", steps)
    assert area.strokes == [[pytest.approx([(steps - 1) / 1000 * SIDE, 200])]]


def test_ctrl_and_other_buttons_do_not_draw(area: Area) -> None:
    for button in ("right", "middle"):
        area.page.mouse.move(*at((100, 100)))
        area.page.mouse.down(button=button)
        area.page.mouse.move(*at((200, 100)))
        area.page.mouse.up(button=button)
    assert area.strokes == []


def test_a_hidden_canvas_keeps_its_drawing(area: Area) -> None:
    """The page shows a picture in its place."""
    area.mouse((100, 100), (300, 100))
    before, inked = area.strokes, area.ink()
    area.page.evaluate("document.getElementById('area').hidden = true")
    assert area.page.evaluate("document.getElementById('area').clientWidth") == 0
    assert (area.strokes, area.ask("side")) == (before, SIDE)
    area.ask("undo")
    area.ask("redo")
    area.page.evaluate("document.getElementById('area').hidden = false")
    assert area.strokes == before
    assert (area.ink() == inked).all()
