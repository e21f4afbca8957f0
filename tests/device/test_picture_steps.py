"""What is done to pictures on the device: each step beside OpenCV's, Pillow's and NumPy's, on random arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.device.planes import in_arrays, levels_of, plane

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = [(1, 1), (1, 9), (7, 1), (12, 20), (33, 17), (64, 64), (101, 150)]


def levels(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Patches with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (shape[0] // 5 + 1, shape[1] // 5 + 1))
    wide = np.kron(coarse, np.ones((5, 5)))[: shape[0], : shape[1]]
    return np.clip(wide + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)


def mask(seed: int, shape: tuple[int, int], share: float = 0.4) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)


LEVELS = [levels(seed, shape) for seed, shape in enumerate(SIZES)]
INK = [each.astype(np.float32) / 255 for each in LEVELS]
MASKS = [mask(seed, shape, share) for seed, shape in enumerate(SIZES) for share in (0.05, 0.4, 0.6, 0.9)]


def compare(
    module: str, function: str, given: list[np.ndarray], options: list[list[Any]], wanted: Callable[..., np.ndarray]
) -> float:
    """Calls a function for each plane with each list of options; gives the greatest difference from what is wanted."""
    calls = [(each, some) for each in given for some in options]
    answers = in_arrays(module, function, [[plane(each), *some] for each, some in calls])
    worst = 0.0
    for (each, some), answer in zip(calls, answers, strict=True):
        expected = wanted(each, *some)
        found = levels_of(answer)
        assert found.shape == expected.shape
        worst = max(worst, float(np.abs(found.astype(np.float64) - expected).max()))
    return worst


def resized(how: int) -> Callable[..., np.ndarray]:
    return lambda each, width, height: cv2.resize(each, (width, height), interpolation=how)


def test_shrinking() -> None:
    for given in (LEVELS[3:], INK[3:]):
        for each in given:
            height, width = each.shape
            sizes = [[max(width // part, 1), max(height // part, 1)] for part in (1, 2, 4)]
            sizes += [[max(round(width / part), 1), max(round(height / part), 1)] for part in (1.07, 1.6, 2.9, 5.3)]
            # Means that are halves are rounded one way or the other.
            worst = compare("planes.js", "shrink", [each], sizes, resized(cv2.INTER_AREA))
            assert worst <= (1 if each.dtype == np.uint8 else 1e-5)


def test_enlarging() -> None:
    for each in INK:
        sizes = [[round(each.shape[1] * by), round(each.shape[0] * by)] for by in (1, 1.3, 2, 4.7)]
        assert compare("planes.js", "enlarge", [each], sizes, resized(cv2.INTER_CUBIC)) < 1e-5


@pytest.mark.parametrize(
    ("function", "how"), [("resizeLinear", cv2.INTER_LINEAR), ("resizeNearest", cv2.INTER_NEAREST)]
)
def test_resizing(function: str, how: int) -> None:
    for each in LEVELS:
        sizes = [[max(round(each.shape[1] * by), 1), max(round(each.shape[0] * by), 1)] for by in (1, 1.3, 3, 0.7)]
        assert compare("planes.js", function, [each], sizes, resized(how)) <= (how == cv2.INTER_LINEAR)


def test_showing_a_box() -> None:
    def wanted(ink: np.ndarray, box: dict[str, float], width: int, height: int) -> np.ndarray:
        pad = 40
        padded = cv2.copyMakeBorder(ink, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
        corners = (box["left"] + pad, box["top"] + pad, box["right"] + pad, box["bottom"] + pad)
        return np.asarray(Image.fromarray(padded).resize((width, height), Image.Resampling.BICUBIC, box=corners))

    boxes = [(-3.3, -7.1, 30.2, 26.4), (2.5, 3.25, 9.75, 10.5), (-20.0, -20.0, 40.0, 40.0)]
    options = [[dict(zip(("left", "top", "right", "bottom"), box, strict=True)), 56, 56] for box in boxes]
    # Pillow's weights end at the edge of the plane; here, of the box in whole pixels.
    assert compare("planes.js", "show", INK[3:], options, wanted) < 0.02


@pytest.mark.parametrize("side", [3, 5, 17, 39])
def test_medians(side: int) -> None:
    assert compare("planes.js", "medianBlur", LEVELS, [[side]], cv2.medianBlur) == 0


@pytest.mark.parametrize("side", [1, 3, 9, 29])
def test_blurs(side: int) -> None:
    def wanted(each: np.ndarray, side: int) -> np.ndarray:
        return cv2.blur(each, (side, side), borderType=cv2.BORDER_REPLICATE)

    assert compare("planes.js", "boxBlur", LEVELS, [[side]], wanted) <= 1


def test_turning() -> None:
    assert compare("planes.js", "transpose", [*LEVELS, *INK], [[]], np.transpose) == 0


@pytest.mark.parametrize("side", [3, 5, 11, 25, 35, 115])
@pytest.mark.parametrize(("function", "wanted"), [("lightest", cv2.dilate), ("darkest", cv2.erode)])
def test_the_lightest_and_the_darkest_around(side: int, function: str, wanted: Callable[..., np.ndarray]) -> None:
    for is_round, shape in ((False, cv2.MORPH_RECT), (True, cv2.MORPH_ELLIPSE)):
        pen = cv2.getStructuringElement(shape, (side, side))
        options = [[side, is_round]]
        assert compare("morphology.js", function, LEVELS, options, lambda each, *_, pen=pen: wanted(each, pen)) == 0


@pytest.mark.parametrize("across", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("down", [1, 3, 4, 7])
def test_growing_and_wearing_away(across: int, down: int) -> None:
    pen = np.ones((down, across), np.uint8)

    def eroded(each: np.ndarray, _across: int, _down: int, outside: int) -> np.ndarray:
        return cv2.erode(each, pen, borderType=cv2.BORDER_CONSTANT, borderValue=outside)

    grown = compare("morphology.js", "dilate", MASKS, [[across, down]], lambda each, *_: cv2.dilate(each, pen))
    assert grown == 0
    assert compare("morphology.js", "erode", MASKS, [[across, down, 0], [across, down, 1]], eroded) == 0


@pytest.mark.parametrize("length", [1, 2, 3, 8, 9, 24])
def test_runs(length: int) -> None:
    def wanted(each: np.ndarray, length: int) -> np.ndarray:
        return cv2.morphologyEx(each, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))

    assert compare("morphology.js", "openAcross", MASKS, [[length]], wanted) == 0


def test_components_and_their_numbers() -> None:
    masks = [*MASKS, *(mask(seed, (60 + seed, 91), 0.3) for seed in range(20))]
    for each, found in zip(
        masks, in_arrays("morphology.js", "components", [[plane(each)] for each in masks]), strict=True
    ):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(each, connectivity=8)
        assert found["count"] == count
        assert (found["labels"].reshape(each.shape) == labels).all()
        for column, name in enumerate(("left", "top", "width", "height", "area")):
            assert (found[name][1:] == stats[1:, column]).all(), name


def test_distances() -> None:
    given = [each for each in MASKS if not each.all()]
    answers = in_arrays("morphology.js", "distancesWithin", [[plane(each)] for each in given])
    for each, answer in zip(given, answers, strict=True):
        wanted = cv2.distanceTransform(each, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert np.abs(answer.reshape(each.shape) - wanted).max() < 1e-4


def test_the_hull_of_the_largest_shape() -> None:
    masks = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        drawn = np.zeros((90, 120), np.uint8)
        for _ in range(3):
            corners = rng.integers((5, 5), (115, 85), (rng.integers(3, 7), 2)).astype(np.int32)
            cv2.fillPoly(drawn, [corners], 1)
        masks.append(drawn | mask(seed, drawn.shape, 0.02))
    for each, found in zip(masks, in_arrays("sheet.js", "largestHull", [[plane(each)] for each in masks]), strict=True):
        outlines, _ = cv2.findContours(each, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
        assert found["area"] == pytest.approx(cv2.contourArea(hull))
        _, (width, height), _ = cv2.minAreaRect(hull)
        assert found["around"] == pytest.approx(width * height, rel=1e-3)
        wanted = cv2.fillConvexPoly(np.zeros(each.shape, np.uint8), hull.astype(np.int32), 1)
        # Lines from pixel to pixel are drawn in more ways than one.
        assert np.count_nonzero(levels_of(found["mask"]) != wanted) <= 0.01 * wanted.sum()
