"""The bundle: what ships is whole, and what is damaged is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from penread import BundleError, Recognizer
from penread.bundle import KINDS, Bundle, shipped
from penread.charset import SPLIT_CHARS
from penread.training import networks
from penread.training.recipes import RECIPES


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    import penread

    source = Path(penread.__file__).parent / "models" / "reference"
    return Path(shutil.copytree(source, tmp_path / "copy"))


def edit(bundle: Path, **fields) -> None:
    info = json.loads((bundle / "model.json").read_text())
    (bundle / "model.json").write_text(json.dumps({**info, **fields}))


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_whole(name: str) -> None:
    bundle = Bundle.load(name)
    assert bundle.info.name == name
    assert bundle.info.chars == SPLIT_CHARS[bundle.info.split]
    assert bundle.info.measured is not None
    assert len(bundle.onnx) < 2_000_000
    session = onnxruntime.InferenceSession(bundle.onnx)
    [glyphs] = session.get_inputs()
    assert glyphs.type == "tensor(uint8)"
    assert glyphs.shape[1:] == [28, 28]
    for count in (1, 3):
        logits, kinds = session.run(["logits", "kinds"], {glyphs.name: np.zeros((count, 28, 28), np.uint8)})
        assert logits.shape == (count, len(bundle.info.chars))
        assert kinds.shape == (count, len(KINDS))
    assert 0.5 < bundle.info.rejection["unclear"] < 1
    # Nothing of the machine it was made on.
    assert b"/" + b"site-packages" not in bundle.onnx
    assert not re.search(rb"\.py\b", bundle.onnx)


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_what_its_recipe_makes(name: str) -> None:
    info = Bundle.load(name).info
    runs = list(info.runs)
    for run in runs:
        assert run.recipe_sha256 == RECIPES[run.recipe].sha256
        runs.extend(run.teachers)
    made = [networks.build(RECIPES[run.recipe].network, len(info.chars)) for run in info.runs]
    assert info.parameters == sum(weights.numel() for network in made for weights in network.parameters())
    assert info.multiply_adds == sum(map(networks.multiply_adds, made))


def test_a_directory_is_a_bundle(copy: Path) -> None:
    assert Recognizer(copy).info.name == "reference"
    assert Recognizer(str(copy)).info.name == "reference"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: (b / "model.onnx").write_bytes((b / "model.onnx").read_bytes()[:-1]), "SHA-256 differs"),
        (lambda b: edit(b, sha256="0" * 64), "SHA-256 differs"),
        (lambda b: (b / "model.onnx").unlink(), "is no bundle"),
        (lambda b: (b / "model.json").unlink(), "is no bundle"),
        (lambda b: (b / "model.json").write_text("{"), "not one that this version can read"),
        (lambda b: edit(b, format=2), "format"),
        (lambda b: edit(b, temperature=0), "temperature"),
        (lambda b: edit(b, rejection={"unclear": 1.5}), "less than 1"),
        (lambda b: edit(b, rejection={"other": 0.5}), "rejection"),
        (lambda b: edit(b, extra=1), "extra"),
        (lambda b: edit(b, chars="AB"), "for the 2 chars"),
        (lambda b: edit(b, chars="A" * 47), "two classes"),
        (shutil.rmtree, 'no bundle ".*copy": neither one that ships'),
    ],
)
def test_a_damaged_bundle_is_refused(copy: Path, damage, message: str) -> None:
    damage(copy)
    with pytest.raises(BundleError, match=message):
        Recognizer(copy)


def change_graph(bundle: Path, change) -> None:
    """Writes the bundle with another graph, and the sum of it."""
    model = onnx.load(bundle / "model.onnx")
    change(model.graph)
    (bundle / "model.onnx").write_bytes(model.SerializeToString())
    edit(bundle, sha256=hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest())


def test_thresholds_without_anything_to_compare_are_refused(copy: Path) -> None:
    change_graph(copy, lambda graph: graph.output.pop())
    with pytest.raises(BundleError, match="gives no kinds"):
        Recognizer(copy)
    edit(copy, rejection={})
    assert Recognizer(copy).predict(np.full((28, 28), 255, np.uint8), unclear_above=0).rejected != "unclear"


def test_an_unknown_output_is_refused(copy: Path) -> None:
    def rename(graph: onnx.GraphProto) -> None:
        graph.node.append(onnx.helper.make_node("Identity", ["kinds"], ["others"]))
        graph.output[1].name = "others"

    change_graph(copy, rename)
    with pytest.raises(BundleError, match="others"):
        Recognizer(copy)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(BundleError, match=r'no bundle "nothing": .*reference'):
        Recognizer("nothing")


def test_a_graph_that_is_none_is_told(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"no graph")
    edit(copy, sha256=hashlib.sha256(b"no graph").hexdigest())
    with pytest.raises(BundleError, match="can't load the model"):
        Recognizer(copy)
