"""How rejection is learnt: the examples, the threshold, the graph's second output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from penread import Ink, Recognizer, TrainingError
from penread.bundle import Bundle
from penread.training import counterexamples, rejection
from penread.training.counterexamples import draw, examples, line_along, lines_of
from penread.training.data import load
from tests.conftest import STROKES_L
from tests.rejection.plain import without_kinds


def test_examples_are_a_function_of_their_seed(small_emnist: Path) -> None:
    train = load(small_emnist, "pool47", "train")
    one, again, other = (examples(train, 500, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.glyphs, again.glyphs)
    assert not np.array_equal(one.glyphs, other.glyphs)
    assert one.glyphs.dtype == np.uint8
    assert one.glyphs.shape == (len(one), 28, 28)
    assert abs(len(one) - 500) < 10
    # Every kind is there, none drowns the others, and no glyph is blank.
    assert (np.bincount(one.kinds, minlength=3) / len(one) > 0.2).all()
    assert (one.glyphs.max(axis=(1, 2)) > 128).mean() > 0.99
    assert len(set(one.sources)) >= 9


def test_a_line_drawn_anew_is_the_ink_it_came_from() -> None:
    ink = Ink(STROKES_L).glyph().astype(float)
    along = draw(line_along([np.array(stroke, float) for stroke in STROKES_L])).astype(float)
    assert np.abs(along - ink).mean() < 3
    thinned = draw(lines_of(Ink(STROKES_L).glyph()[None])[0]).astype(float)
    assert np.corrcoef(thinned.ravel(), ink.ravel())[0, 1] > 0.95


def test_a_thinned_line_keeps_its_shape(small_emnist: Path) -> None:
    glyphs = load(small_emnist, "pool47", "test").images[:100]
    anew = np.stack([draw(line) for line in lines_of(glyphs)])
    alike = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(glyphs, anew, strict=True)]
    assert np.median(alike) > 0.8


def test_foreign_characters_are_none_of_ours() -> None:
    """No line of another script is one that a Latin letter has, as the fonts draw it."""
    for char in "OTXHo":
        assert not counterexamples.is_foreign(char)
    for char in "\N{HEBREW LETTER SHIN}\N{GEORGIAN LETTER KAN}\N{CYRILLIC SMALL LETTER ZHE}":
        assert counterexamples.is_foreign(char)
    assert 300 < len(counterexamples.foreign_lines()) < 3000


def test_the_threshold_rejects_a_hundredth() -> None:
    not_one = np.random.default_rng(1).beta(1, 6, 5000)
    assert np.mean(not_one > rejection.choose_threshold(not_one)) == pytest.approx(0.01, abs=0.002)


def test_a_head_learns_on_any_graph(small_emnist: Path) -> None:
    """On the network that ships, with the head taken off and few examples."""
    train, val = (load(small_emnist, "pool47", name) for name in ("train", "val"))
    bundle = without_kinds(Bundle.load("reference"))
    model = onnx.load_model_from_string(bundle.onnx)
    before = model.SerializeToString()
    whole, thresholds = rejection.add_rejection(model, train, val)
    assert model.SerializeToString() == before
    assert [output.name for output in whole.graph.output] == ["logits", "kinds"]
    assert 0 < thresholds["unclear"] < 1
    recognizer = Recognizer(Bundle(bundle.info.model_copy(update={"rejection": thresholds}), whole.SerializeToString()))
    held_back = examples(val, 800, 9)
    right = recognizer.kinds(held_back.glyphs).argmax(axis=1) == held_back.kinds
    assert right.mean() > 1.3 * np.bincount(held_back.kinds).max() / len(held_back)


def test_a_graph_without_planes_is_refused(small_emnist: Path) -> None:
    weights = numpy_helper.from_array(np.zeros((784, 47), np.float32), "weights")
    shape = numpy_helper.from_array(np.array([-1, 784]), "shape")
    nodes = [
        helper.make_node("Cast", ["glyphs"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    glyphs = helper.make_tensor_value_info("glyphs", TensorProto.UINT8, ["N", 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 47])
    graph = helper.make_graph(nodes, "flat", [glyphs], [logits], [weights, shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    train, val = (load(small_emnist, "pool47", name) for name in ("train", "val"))
    with pytest.raises(TrainingError, match="no planes"):
        rejection.add_rejection(model, train, val)
