"""Why a character was read: the map of what its ink is worth, in Python and over HTTP."""

from __future__ import annotations

import base64
import io

import httpx2
import numpy as np
import pytest
from PIL import Image

from penread import CharsetError, Ink, InputError, Recognizer
from tests.made import drawn
from tests.server.test_api import problem

STROKES = {each["label"]: each["strokes"] for each in drawn()}
E = Ink(STROKES["E"])


def test_what_sets_an_e_apart_from_an_f_is_its_foot(recognizer: Recognizer) -> None:
    explanation = recognizer.explain(E)
    assert explanation.char == "E"
    assert explanation.confidence == pytest.approx(recognizer.predict(E).confidence)
    assert np.array_equal(explanation.glyph, E.glyph())
    foot, rest = np.split(explanation.importance, [20])
    assert foot.sum() > rest.sum() / 2 > 0
    # The same foot is what speaks against F.
    against = recognizer.explain(E, char="F").importance
    assert against[20:].sum() < -1
    assert against[20:].sum() < against[:20].sum()


def test_only_ink_is_worth_something(recognizer: Recognizer) -> None:
    for strokes in STROKES.values():
        explanation = recognizer.explain(Ink(strokes))
        assert explanation.importance.shape == (28, 28)
        assert np.isfinite(explanation.importance).all()
        assert not explanation.importance[explanation.glyph == 0].any()
        assert np.abs(explanation.importance).max() > 0.1


def test_a_charset_decides_what_there_is_to_tell_apart(recognizer: Recognizer) -> None:
    assert recognizer.explain(E, charset="lower").char == recognizer.predict(E, charset="lower").char
    # Nothing else is allowed, so nothing needs to speak for it.
    assert not recognizer.explain(E, charset="E").importance.any()


def test_a_class_of_both_cases_is_explained_by_either_name(recognizer: Recognizer) -> None:
    capital, small = (recognizer.explain(Ink(STROKES["C"]), char=char) for char in "Cc")
    assert (capital.char, small.char) == ("C", "c")
    assert np.array_equal(capital.importance, small.importance)


def test_what_cannot_be_explained_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(InputError, match="no ink"):
        recognizer.explain(Ink([]))
    with pytest.raises(InputError, match='"7"'):
        recognizer.explain(E, char="7", charset="letters")
    with pytest.raises(InputError, match="EF"):
        recognizer.explain(E, char="EF")
    with pytest.raises(CharsetError):
        recognizer.explain(E, charset="é")


def test_over_http_as_in_python(server: str, recognizer: Recognizer) -> None:
    with httpx2.Client(base_url=server, timeout=30) as api:
        answer = api.post("/api/v1/explain", json={"strokes": STROKES["E"], "char": "F"}).json()
        assert set(answer) == {"char", "confidence", "importance", "glyph", "model"}
        assert answer["char"] == "F"
        expected = recognizer.explain(E, char="F")
        assert np.allclose(answer["importance"], expected.importance, atol=1e-3)
        png = base64.b64decode(answer["glyph"].partition(",")[2])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), E.glyph())

        picture = io.BytesIO()
        Image.fromarray(255 - E.glyph()).resize((280, 280), Image.Resampling.BICUBIC).save(picture, "PNG")
        files = {"image": ("e.png", picture.getvalue(), "image/png")}
        assert api.post("/api/v1/explain", files=files, data={"charset": "upper"}).json()["char"] == "E"

        assert "no ink" in problem(api.post("/api/v1/explain", json={"strokes": []}), 422)
        assert "one of" in problem(api.post("/api/v1/explain", json={"strokes": STROKES["E"], "char": "é"}), 422)
        assert "char" in problem(api.post("/api/v1/explain", json={"strokes": STROKES["E"], "char": "EF"}), 422)
