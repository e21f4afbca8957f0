"""POST /api/v1/predict with many characters in one call."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from penread import Ink, Recognizer
from penread.image import MAX_PIXELS
from penread.server.limits import MAX_ITEMS, MAX_POINTS_OF_ITEMS
from tests.conftest import STROKES_L
from tests.made import drawn
from tests.server.test_api import IMAGE_L, problem

DRAWN = drawn()


@pytest.fixture(scope="module")
def api(server: str):
    with httpx2.Client(base_url=server, timeout=60) as client:
        yield client


def predict(api: httpx2.Client, items: list[Any], **how: Any) -> httpx2.Response:
    return api.post("/api/v1/predict", json={"items": items, **how})


def test_each_is_read_as_it_is_by_itself(api: httpx2.Client, recognizer: Recognizer) -> None:
    """More than the graph takes at once from single requests, drawings and images mixed, in order."""
    items = [{"strokes": each["strokes"]} for each in DRAWN] + [{"image": base64.b64encode(IMAGE_L).decode()}]
    answer = predict(api, items, top_k=2).json()
    assert set(answer) == {"predictions", "model"}
    assert answer["model"] == {"name": recognizer.info.name, "version": recognizer.info.version}
    assert [each["char"] for each in answer["predictions"]] == [
        *(recognizer.predict(Ink(each["strokes"])).char for each in DRAWN),
        "L",
    ]
    for item, prediction in zip(items, answer["predictions"], strict=True):
        alone = api.post("/api/v1/predict", json={**item, "top_k": 2}).json()
        del alone["model"]
        assert alone.pop("confidence") == pytest.approx(prediction.pop("confidence"))
        for candidates in (alone["candidates"], prediction["candidates"]):
            for candidate in candidates:
                candidate["confidence"] = round(candidate["confidence"], 6)
        assert prediction == alone


def test_options_hold_for_all(api: httpx2.Client) -> None:
    answer = predict(
        api, [{"strokes": STROKES_L}, {"strokes": []}], charset="lower", top_k=1, include_glyph=True
    ).json()
    read, blank = answer["predictions"]
    assert (read["char"], len(read["candidates"])) == ("l", 1)
    assert (blank["char"], blank["rejected"], blank["candidates"]) == (None, "blank", [])
    for prediction, strokes in ((read, STROKES_L), (blank, [])):
        png = base64.b64decode(prediction["glyph"].removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(png)) as picture:
            np.testing.assert_array_equal(np.asarray(picture), Ink(strokes).glyph())


def test_a_form_may_have_many_images(api: httpx2.Client) -> None:
    inverted = io.BytesIO()
    with Image.open(io.BytesIO(IMAGE_L)) as picture:
        Image.eval(picture, lambda level: 255 - level).save(inverted, "PNG")
    files = [("image", ("a.png", IMAGE_L)), ("image", ("b.png", inverted.getvalue()))]
    answer = api.post("/api/v1/predict", files=files, data={"charset": "upper"}).json()
    assert [each["char"] for each in answer["predictions"]] == ["L", "L"]


def test_as_many_as_there_may_be(api: httpx2.Client) -> None:
    answer = predict(api, [{"strokes": STROKES_L}] * MAX_ITEMS).json()
    assert [each["char"] for each in answer["predictions"]] == ["L"] * MAX_ITEMS
    problem(predict(api, [{"strokes": STROKES_L}] * (MAX_ITEMS + 1)), 422)
    problem(predict(api, []), 422)


def test_what_is_wrong_with_one_is_told_with_its_number(api: httpx2.Client) -> None:
    damaged = base64.b64encode(IMAGE_L[:60]).decode()
    assert "Item 1: " in problem(predict(api, [{"strokes": STROKES_L}, {"image": damaged}]), 422)
    assert "items.1: give either strokes or image" in problem(predict(api, [{"strokes": []}, {}]), 422)
    assert "items.0.top_k: there is no such field" in problem(predict(api, [{"strokes": [], "top_k": 2}]), 422)
    both = api.post("/api/v1/predict", json={"strokes": [], "items": []})
    assert both.status_code == 422


def test_all_together_have_bounds(api: httpx2.Client) -> None:
    long = [[[x % 50, x % 70] for x in range(MAX_POINTS_OF_ITEMS // 6)]]
    assert predict(api, [{"strokes": long}] * 5, top_k=1).status_code == 200
    assert "points" in problem(predict(api, [{"strokes": long}] * 7), 422)
    # Each image is within its bound, and the two of them aren't.
    buffer = io.BytesIO()
    Image.new("L", (6000, MAX_PIXELS // 6000 // 2 + 100), 255).save(buffer, "PNG")
    large = base64.b64encode(buffer.getvalue()).decode()
    assert api.post("/api/v1/predict", json={"image": large}).json()["rejected"] == "blank"
    assert "pixels together" in problem(predict(api, [{"image": large}] * 2), 422)
