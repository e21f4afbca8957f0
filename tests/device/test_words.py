"""Words read by the page's modules, in Node and in a real browser: the text that Python reads, in the same places."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections import defaultdict
from dataclasses import replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread import Ink, Recognizer, context, language, lines
from penread import recognizer as recognition
from penread.bundle import DEFAULT_BUNDLE
from penread.errors import InputError
from penread.prediction import REJECTED_CHAR
from tests.device.conftest import WEB, Caller
from tests.golden.make import ink_cases
from tests.lines.composed import LAYOUTS, Layout, compose

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from penread.lattice import Line
    from penread.prediction import Reading

    Strokes = list[list[list[float]]]
    Box = dict[str, float]

# What a strict reader would take apart: characters by themselves, with dots, falling apart, touching, in two lines.
ONE_LINE = replace(LAYOUTS["one word"], letters=(3, 9))
SET = {
    "numbers": replace(ONE_LINE, chars="0123456789"),
    "codes": replace(ONE_LINE, chars="ABCDEFGHKLMNPRTXYZ0123456789"),
    "capitals": ONE_LINE,
    "small letters": replace(ONE_LINE, chars="abdefghnqrtijkly"),
    "dots": replace(ONE_LINE, chars="ij", letters=(2, 6)),
    "touching": replace(ONE_LINE, touching=0.4),
    "broken": replace(ONE_LINE, broken=0.5),
    "slanted": replace(ONE_LINE, slant=20),
    "two words": LAYOUTS["two words"],
    "wide apart, with spaces": replace(LAYOUTS["wide apart, with spaces"], lines=(1, 1)),
    "dots in two lines": Layout(chars="ijlt", lines=(2, 2), words=(1, 2), letters=(3, 6), pitch=1.35),
    "turned": Layout(skew=7.0, lines=(2, 2), words=(2, 2), letters=(2, 4)),
    "two lines": Layout(lines=(2, 2), words=(1, 2), letters=(2, 5)),
    "small letters, lines interlock": Layout(chars="abdefghijknpqrty", lines=(2, 2), words=(1, 1), pitch=1.3),
    "one character": LAYOUTS["one character"],
}
HTE = [
    *([[0, 0], [0, 100]], [[60, 0], [60, 100]], [[0, 50], [60, 50]]),
    *([[90, 0], [160, 0]], [[125, 0], [125, 100]]),
    *([[240, 0], [190, 0], [190, 100], [245, 100]], [[190, 48], [235, 48]]),
]


def composed(pages: int) -> list[Strokes]:
    """So many drawings of each way of setting characters; every second with its strokes in any order."""
    return [
        [stroke.tolist() for stroke in compose(layout, seed).ink(shuffled=seed % 2 == 1).strokes]
        for layout in SET.values()
        for seed in range(pages)
    ]


def by_hand(drawings: list[dict[str, Any]], count: int) -> list[Strokes]:
    """Words of characters as each writer drew them, set on a line or hung from one."""
    rng = np.random.default_rng(17)
    hands: dict[str, dict[str, Strokes]] = defaultdict(dict)
    for drawing in drawings:
        hands[drawing["writer"]][drawing["label"]] = drawing["strokes"]
    words = []
    for number in range(count):
        hand = hands[sorted(hands)[number % len(hands)]]
        word: Strokes = []
        right = 0.0
        for label in rng.choice(sorted(hand), rng.integers(2, 9)):
            points = np.concatenate([np.array(stroke, float) for stroke in hand[label]])
            low, high = points.min(axis=0), points.max(axis=0)
            corner = np.array([low[0] - right, (low, high)[number % 2][1]])
            word += [(np.array(stroke) - corner).round(2).tolist() for stroke in hand[label]]
            right += high[0] - low[0] + rng.uniform(0.05, 0.4) * (high[1] - low[1])
        words.append(word)
    return words


def scribbled(count: int) -> list[Strokes]:
    """Pens that wander about, two to six strokes side by side."""
    rng = np.random.default_rng(23)
    return [
        [
            (np.cumsum(rng.normal(0, 9, (40, 2)), axis=0) + np.array([80 * at, 0])).round(2).tolist()
            for at in range(rng.integers(2, 7))
        ]
        for _ in range(count)
    ]


def sticks(count: int) -> list[Strokes]:
    """Straight lines between two to four points, in rows: evenly inked, so that places are as good as each other."""
    rng = np.random.default_rng(29)
    return [
        [
            (rng.uniform(0, 30, (rng.integers(2, 5), 2)) + np.array([35 * column, 55 * row])).tolist()
            for row in range(rng.integers(1, 4))
            for column in range(rng.integers(2, 8))
            for _ in range(rng.integers(1, 4))
        ]
        for _ in range(count)
    ]


def read_in_node(drawings: list[Any]) -> list[dict[str, Any]]:
    """Reads drawings, each [strokes, options], in Node."""
    node = shutil.which("node")
    assert node, "The page's modules are tested in Node, too: install Node.js 20 or newer."
    assert (WEB / "onnxruntime" / "ort.wasm.min.mjs").exists(), "Fetch ONNX Runtime first: penread runtime"
    with as_file(files(language) / "english.npz") as english:
        done = subprocess.run(
            [node, WEB.parents[2] / "tests" / "device" / "words.mjs", WEB, WEB.parent / "models" / DEFAULT_BUNDLE],
            input=json.dumps({"english": str(english), "drawings": drawings}),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def edges(box: Any) -> list[float]:
    """Left, top, right and bottom, whether of Python or of JSON."""
    return [
        float(box[name] if isinstance(box, dict) else getattr(box, name)) for name in ("left", "top", "right", "bottom")
    ]


def same_lines(answer: dict[str, Any], wanted: Reading) -> list[bool]:
    """Tells which lines have the same text; all that has must be in the same places, and as sure."""
    assert answer["kind"] == "text"
    assert (answer["width"], answer["height"]) == pytest.approx((wanted.width, wanted.height))
    if len(answer["lines"]) != len(wanted.lines):
        return [False] * len(wanted.lines)
    assert answer["text"] == "\n".join(line["text"] for line in answer["lines"])
    found = []
    for line, each in zip(answer["lines"], wanted.lines, strict=True):
        found.append(line["text"] == each.text)
        if not found[-1]:
            continue
        box = edges(each.box)
        near = 0.001 * max(box[2] - box[0], box[3] - box[1])
        assert edges(line["box"]) == pytest.approx(box, abs=near)
        for character, one in zip(line["characters"], each.characters, strict=True):
            assert edges(character["box"]) == pytest.approx(edges(one.box), abs=near)
            assert (character["char"], character["rejected"], character["reason"]) == (
                one.char,
                one.rejected,
                one.reason,
            )
            assert character["confidence"] == pytest.approx(one.confidence, abs=0.02)
            confidences = {candidate.char: candidate.confidence for candidate in one.candidates}
            assert len(character["candidates"]) == len(one.candidates)
            for candidate in character["candidates"]:
                assert candidate["confidence"] == pytest.approx(confidences.get(candidate["char"], 0), abs=0.02)
    return found


def test_words_are_read_as_python_reads_them(drawings: list[dict[str, Any]], recognizer: Recognizer) -> None:
    taken: list[Any] = [*composed(3), *by_hand(drawings, 24), *scribbled(8), [[[3, 4]]], [[[0, 0], [50, 0]]], []]
    wanted = [recognizer.read(Ink(strokes)) for strokes in taken]
    pairs = zip(read_in_node([[strokes, {}] for strokes in taken]), wanted, strict=True)
    same = [line for answer, each in pairs for line in same_lines(answer, each)]
    assert sum(same) >= 0.99 * len(same)
    # What is compared is worth it: text of all kinds, and some that is none.
    texts = "".join(each.text for each in wanted)
    assert len(texts) > 300
    assert REJECTED_CHAR in texts
    assert {"\n", " "} <= set(texts)


@pytest.mark.parametrize(
    ("options", "in_python"),
    [
        ({"context": False}, {"context": False}),
        ({"charset": "digits"}, {"charset": "digits"}),
        ({"charset": "upper", "topK": 2}, {"charset": "upper", "top_k": 2}),
        ({"charset": "lower", "context": False}, {"charset": "lower", "context": False}),
        ({"charset": "Il1aeC7"}, {"charset": "Il1aeC7"}),
        ({"unclearAbove": 0.3, "topK": 100}, {"unclear_above": 0.3, "top_k": 100}),
        ({"unclearAbove": 1}, {"unclear_above": 1}),
    ],
    ids=str,
)
def test_options_mean_what_they_mean_in_python(
    drawings: list[dict[str, Any]], recognizer: Recognizer, options: dict[str, Any], in_python: dict[str, Any]
) -> None:
    taken: list[Any] = [*composed(1), *by_hand(drawings, 8), *scribbled(3), []]
    wanted = [recognizer.read(Ink(strokes), **in_python) for strokes in taken]
    pairs = zip(read_in_node([[strokes, options] for strokes in taken]), wanted, strict=True)
    same = [line for answer, each in pairs for line in same_lines(answer, each)]
    assert sum(same) >= 0.97 * len(same)


def test_what_is_wrong_is_refused(recognizer: Recognizer) -> None:
    ladder = [[[0, 60 * at], [30, 60 * at + 30]] for at in range(lines.MAX_LINES + 1)]
    with pytest.raises(InputError, match="lines"):
        recognizer.read(Ink(ladder))
    asked = [[HTE, {"charset": "é"}], [HTE, {"unclearAbove": -1}], [ladder, {}], [[[[0, 9e9], [5, 5]]], {}]]
    assert [answer.get("error") for answer in read_in_node(asked)] == ["CharsetError", *["InputError"] * 3]


def test_lattices_are_pythons(in_node: Caller) -> None:
    """What may be a character, and how well it is shaped for one: on whatever can be drawn."""
    cases: dict[str, Any] = {
        **ink_cases(),
        "nothing": [],
        "two dots": [[[3, 4]], [[60, 4]]],
        "no points": [[], [[0, 0], [9, 30]], []],
    }
    cases |= {f"composed {at}": strokes for at, strokes in enumerate(composed(3))}
    cases |= {f"sticks {at}": strokes for at, strokes in enumerate(sticks(30))}
    cases |= {"rows of dots": [[[40 * x, 70 * y]] for x in range(6) for y in range(3)]}
    cases |= {"still pens": [[[5, 5]] * 3, [[40, 5], [40, 50], [40, 50]]]}
    cases["thousands of points"] = cases["thousands of points"][:1]
    results = in_node("device/lines.js", "fromStrokes", [[strokes] for strokes in cases.values()])
    different = [
        name
        for (name, strokes), result in zip(cases.items(), results, strict=True)
        if not same_lattice(result["value"], lines.from_strokes(Ink(strokes)))
    ]
    # Of two places that are as good as each other, the last bit of a number may choose.
    assert len(different) <= 0.03 * len(cases)
    assert all(name.startswith("sticks") for name in different)


def same_lattice(found: list[dict[str, Any]], wanted: list[Line]) -> bool:
    """Tells whether words have the same pieces and the same spans, drawn and shaped alike."""
    if [[word["pieces"] for word in line["words"]] for line in found] != [
        [word.pieces for word in line.words] for line in wanted
    ]:
        return False
    spans = [span for line in found for word in line["words"] for span in word["spans"]]
    others = [span for line in wanted for word in line.words for span in word.spans]
    if [(span["first"], span["last"]) for span in spans] != [(span.first, span.last) for span in others]:
        return False
    shapes = [[span["logPrior"], *edges(span["box"])] for span in spans]
    glyphs = [list(span["glyph"].values()) for span in spans]
    return (
        [line["slope"] for line in found] == pytest.approx([line.slope for line in wanted], abs=1e-9)
        and np.allclose(shapes, [[span.log_prior, *edges(span.box)] for span in others], rtol=1e-9, atol=1e-3)
        and np.allclose(glyphs, [span.glyph.ravel() for span in others], rtol=0, atol=1)
    )


def test_words_are_read_in_the_browsers_own_thread(
    site: Page, drawings: list[dict[str, Any]], recognizer: Recognizer
) -> None:
    """The page's reader and its worker: a drawing of several characters comes back as text."""
    script = """async (all) => {
        const { createDeviceReader } = await import("/static/device.js");
        const reader = createDeviceReader();
        const answers = [];
        for (const strokes of all) {
            answers.push(await reader.recognize(strokes, { charset: null, signal: new AbortController().signal }));
        }
        reader.close();
        return answers;
    }"""
    taken: list[Any] = [HTE, *composed(1)[:4], *by_hand(drawings, 6)]
    several = [strokes for strokes in taken if recognizer.predict(Ink(strokes)).reason == "several"]
    wanted = [recognizer.read(Ink(strokes)) for strokes in several]
    more = [len(each.lines) > 1 or len(each.lines[0].characters) > 1 for each in wanted]
    answers = site.evaluate(script, several)
    assert sum(more) >= 3
    assert [answer["kind"] == "text" for answer in answers] == more
    same = [
        line
        for answer, each, is_text in zip(answers, wanted, more, strict=True)
        if is_text
        for line in same_lines(answer, each)
    ]
    assert all(same)
    info = recognizer.info
    assert answers[0]["model"] == {"name": info.name, "version": info.version}


def test_arrays_of_numpy_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays = {
        name: rng.integers(0, 100, shape).astype(name)
        for name, shape in [
            ("uint8", (3, 4)),
            ("int8", (5,)),
            ("uint16", (2, 3, 4)),
            ("int16", ()),
            ("uint32", (0, 3)),
            ("int32", (1,)),
            ("float32", (300, 7)),
            ("float64", (2, 2)),
        ]
    }
    np.savez(tmp_path / "stored.npz", **arrays)  # type: ignore[arg-type]
    np.savez_compressed(tmp_path / "deflated.npz", **arrays)  # type: ignore[arg-type]
    whole = (tmp_path / "deflated.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-200])
    (tmp_path / "damaged.npz").write_bytes(whole[:60] + bytes(40) + whole[100:])
    (tmp_path / "no zip.npz").write_bytes(b"no zip" * 100)
    np.savez(tmp_path / "of another kind.npz", complex=np.array([1j]))
    names = ["stored", "deflated", "cut", "damaged", "no zip", "of another kind"]
    script = WEB.parents[2] / "tests" / "device" / "npz.mjs"
    command: list[Any] = [shutil.which("node") or "node", script, WEB, *(tmp_path / f"{name}.npz" for name in names)]
    results = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for result in results[:2]:
        assert result.keys() == arrays.keys()
        for name, array in arrays.items():
            assert result[name]["shape"] == list(array.shape)
            assert result[name]["values"] == pytest.approx(array.ravel().tolist())
    assert results[2:] == [{"error": "NpzError"}] * 4


@pytest.mark.parametrize(
    ("path", "module", "least"),
    [("lines", lines, 18), ("context", context, 25), ("language", language, 3), ("words", recognition, 1)],
)
def test_constants_are_pythons(path: str, module: Any, least: int) -> None:
    """All numbers and lists of numbers at the top of a module of the page that have a name in Python's."""
    source = (WEB / "device" / f"{path}.js").read_text("utf-8")
    compared = 0
    for name, value in re.findall(r"^(?:export )?const ([A-Z_]+) = ([-\d_.\[\], \n]+?);$", source, re.MULTILINE):
        own = getattr(module, f"_{name}", getattr(module, name, None))
        if own is None:
            continue
        parsed = ast.literal_eval(value.replace("\n", ""))
        assert np.array(parsed) == pytest.approx(np.array(own), rel=1e-12), name
        compared += 1
    assert compared >= least


def test_kinds_of_words_and_sizes_are_pythons() -> None:
    script = "import(process.argv[1]).then((module) => console.log(JSON.stringify(module)))"
    command: list[Any] = [shutil.which("node") or "node", "-e", script, WEB / "device" / "context.js"]
    tables = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    kinds = [{"prior": kind.prior, "first": kind.first, "rest": kind.rest} for kind in context._SPELLED]  # noqa: SLF001
    codes = [{"prior": one.prior, "types": list(one.types), "same": one.same} for one in context._CODES]  # noqa: SLF001
    names = ("chars", "top", "bottom", "spread")
    groups = [dict(zip(names, group, strict=True)) for group in context._GROUPS]  # noqa: SLF001
    assert (tables["SPELLED"], tables["CODES"], tables["GROUPS"]) == (kinds, codes, groups)
    assert tables["COST"] == pytest.approx(context._COST.tolist())  # noqa: SLF001
