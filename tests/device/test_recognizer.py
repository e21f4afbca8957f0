"""Characters read by the page's modules in a real browser: what Python reads, and as sure of it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread import Ink, Recognizer
from penread.bundle import Bundle
from penread.charset import SPLIT_CHARS
from tests.conftest import STROKES_L
from tests.device.conftest import varied
from tests.made import drawn
from tests.rejection.plain import without_kinds

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The runtime and the files of the model, on the page's own thread.
FILES = """
    const { Recognizer } = await import("/static/device/recognizer.js");
    const ort = await import("/static/onnxruntime/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1;
    const modelJson = await (await fetch("/static/model/model.json")).json();
    const modelBytes = new Uint8Array(await (await fetch("/static/model/model.onnx")).arrayBuffer());
"""

# Reads each of [strokes, options].
PREDICT = f"""async (all) => {{
    {FILES}
    const recognizer = await Recognizer.load({{ ort, modelJson, modelBytes }});
    const answers = [];
    for (const [strokes, options] of all) {{
        try {{
            const answer = await recognizer.predict(strokes, options);
            answers.push({{ ...answer, glyph: Array.from(answer.glyph) }});
        }} catch (error) {{
            answers.push({{ error: error.constructor.name }});
        }}
    }}
    return answers;
}}"""

DOT = [[[3, 4]]]
BLOT = [[point for x in range(0, 60, 3) for point in ([x, 0], [x, 60])]]
HT = [[[0, 0], [0, 100]], [[60, 0], [60, 100]], [[0, 50], [60, 50]], [[90, 0], [160, 0]], [[125, 0], [125, 100]]]


def scribbles(count: int) -> list[list[list[list[float]]]]:
    """A pen that wanders about: 60 strides in any direction."""
    rng = np.random.default_rng(9)
    return [[np.cumsum(rng.normal(0, 20, (60, 2)), axis=0).round(2).tolist()] for _ in range(count)]


def assert_alike(answers: list[dict[str, Any]], wanted: list[Any], same: float) -> None:
    """Compares answers of the device with predictions of Python's: so many of them must be the same."""
    agreed = [
        (answer["char"], answer["rejected"], answer["reason"]) == (each.char, each.rejected, each.reason)
        for answer, each in zip(answers, wanted, strict=True)
    ]
    assert sum(agreed) >= same * len(wanted)
    for answer, each in zip(answers, wanted, strict=True):
        confidences = {candidate.char: candidate.confidence for candidate in each.candidates}
        assert len(answer["candidates"]) == len(each.candidates)
        for candidate in answer["candidates"]:
            assert candidate["confidence"] == pytest.approx(confidences.get(candidate["char"], 0), abs=0.02)
        if answer["rejected"] == each.rejected:
            assert answer["confidence"] == pytest.approx(each.confidence, abs=0.02)


def test_drawings_are_read_as_python_reads_them(
    site: Page, drawings: list[dict[str, Any]], recognizer: Recognizer
) -> None:
    taken: list[Any] = [*varied(drawings, 512, seed=5), *scribbles(40), DOT, BLOT, HT, []]
    answers = site.evaluate(PREDICT, [[strokes, {}] for strokes in taken])
    wanted = [recognizer.predict(Ink(strokes)) for strokes in taken]
    assert {each.reason for each in wanted} == {None, "speck", "solid", "several", "unknown", "empty"}
    assert_alike(answers, wanted, same=0.995)
    glyphs = np.array([answer["glyph"] for answer in answers])
    assert np.abs(glyphs - np.stack([Ink(strokes).glyph().ravel() for strokes in taken]).astype(int)).max() <= 1
    info = recognizer.info
    assert answers[0]["model"] == {"name": info.name, "version": info.version}


@pytest.mark.parametrize(
    "options",
    [
        {"charset": "digits"},
        {"charset": "upper"},
        {"charset": "lower", "topK": 3},
        {"charset": "1lI0o"},
        {"charset": "L"},
        {"unclearAbove": 1},
        {"unclearAbove": 0.05, "charset": "letters", "topK": 100},
    ],
    ids=str,
)
def test_options_mean_what_they_mean_in_python(
    site: Page, drawings: list[dict[str, Any]], recognizer: Recognizer, options: dict[str, Any]
) -> None:
    taken: list[Any] = [*varied(drawings, 24, seed=6), *scribbles(6), STROKES_L, DOT, BLOT, []]
    answers = site.evaluate(PREDICT, [[strokes, options] for strokes in taken])
    in_python = {"topK": "top_k", "unclearAbove": "unclear_above", "charset": "charset"}
    named = {in_python[name]: value for name, value in options.items()}
    assert_alike(answers, [recognizer.predict(Ink(strokes), **named) for strokes in taken], same=0.98)


@pytest.mark.parametrize("name", ["reference", "without kinds"])
def test_other_models_are_read_with(site: Page, drawings: list[dict[str, Any]], name: str) -> None:
    bundle = without_kinds(Bundle.load()) if name == "without kinds" else Bundle.load(name)
    info = bundle.info.model_dump(mode="json") | {"sha256": hashlib.sha256(bundle.onnx).hexdigest()}
    site.route("**/model/model.json", lambda route: route.fulfill(json=info))
    site.route("**/model/model.onnx", lambda route: route.fulfill(body=bundle.onnx))
    taken: list[Any] = [*varied(drawings, 40, seed=7), *scribbles(10), STROKES_L, DOT, BLOT, HT, []]
    answers = site.evaluate(PREDICT, [[strokes, {}] for strokes in taken])
    in_python = Recognizer(bundle)
    assert_alike(answers, [in_python.predict(Ink(strokes)) for strokes in taken], same=0.98)
    assert any(answer["rejected"] == "unclear" for answer in answers) == (name == "reference")


def test_options_that_are_wrong_are_refused(site: Page) -> None:
    asked = [[STROKES_L, {"charset": "é"}], [STROKES_L, {"unclearAbove": 1.5}], [[[[0, 9e9]]], {}]]
    errors = [answer["error"] for answer in site.evaluate(PREDICT, asked)]
    assert errors == ["CharsetError", "InputError", "InputError"]


def test_the_reasons_are_pythons(site: Page, recognizer: Recognizer) -> None:
    script = f"""async ([drawings, options]) => {{
        {FILES}
        const recognizer = await Recognizer.load({{ ort, modelJson, modelBytes }});
        const found = [];
        for (const strokes of drawings) {{
            const {{ char, confidence, importance }} = await recognizer.explain(strokes, options);
            found.push({{ char, confidence, importance }});
        }}
        return found;
    }}"""
    taken = [each["strokes"] for each in drawn()[::6]]
    for options in ({}, {"char": "E"}, {"charset": "lower", "char": "c"}, {"charset": "7"}):
        found = site.evaluate(script, [taken, options])
        for strokes, each in zip(taken, found, strict=True):
            wanted = recognizer.explain(Ink(strokes), **options)
            assert each["char"] == wanted.char
            assert each["confidence"] == pytest.approx(wanted.confidence, abs=0.02)
            assert np.array(each["importance"]) == pytest.approx(wanted.importance, abs=0.1)


def test_reasons_can_be_given_up_half_way(site: Page) -> None:
    script = f"""async (strokes) => {{
        {FILES}
        const recognizer = await Recognizer.load({{ ort, modelJson, modelBytes }});
        const controller = new AbortController();
        const reasons = recognizer.explain(strokes, {{ signal: controller.signal }});
        setTimeout(() => controller.abort("enough"));
        return reasons.then(() => "all of them", (error) => error);
    }}"""
    assert site.evaluate(script, drawn()[0]["strokes"]) == "enough"


LOAD = f"""async ({{ info, cut, isSafe }}) => {{
    {FILES}
    if (!isSafe) Object.defineProperty(crypto, "subtle", {{ value: undefined, configurable: true }});
    const files = {{ ort, modelJson: {{ ...modelJson, ...info }}, modelBytes: modelBytes.slice(0, cut) }};
    try {{
        return (await Recognizer.load(files)).info.name;
    }} catch (error) {{
        return `${{error.constructor.name}}: ${{error.message}}`;
    }}
}}"""


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"info": {"sha256": "0" * 64}, "isSafe": True}, "BundleError: .*SHA-256 differs"),
        ({"cut": 500_000, "isSafe": True}, "BundleError: .*SHA-256 differs"),
        # Where the browser computes no sums, the runtime notices.
        ({"cut": 500_000, "isSafe": False}, "BundleError: ONNX Runtime can't load the model balanced"),
        ({"info": {"chars": SPLIT_CHARS["digits"]}, "isSafe": True}, "BundleError: .* into 10 classes"),
        ({"info": {"format": 2}, "isSafe": True}, "BundleError: model.json"),
        ({"info": {"sha256": "0" * 64}, "isSafe": False}, "^balanced$"),
        ({"isSafe": True}, "^balanced$"),
    ],
)
def test_a_damaged_model_is_not_used(site: Page, damage: dict[str, Any], words: str) -> None:
    found = site.evaluate(LOAD, {"info": {}, "cut": 10_000_000, **damage})
    assert re.search(words, found), found
