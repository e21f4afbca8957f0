"""From a finished run to a bundle: ``model.onnx``, checked against torch on real images, and ``model.json``.

penread export runs/reference --data-dir data/emnist --out bundles/reference
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from penread.bundle import Bundle, Measured, ModelInfo, TrainedOn
from penread.charset import SPLIT_CHARS
from penread.errors import DataError, TrainingError
from penread.recognizer import Recognizer
from penread.training.data import Subset, load, load_training
from penread.training.evaluate import Evaluation, evaluate
from penread.training.files import write_text
from penread.training.loop import Config, load_network

# Logits are around ten; the two sum in different orders, in float32.
_MAX_LOGIT_DIFFERENCE = 1e-3


def export(run_dir: Path, out: Path, data_dir: Path, *, name: str | None = None, version: str = "1.0") -> Evaluation:
    """Exports a run as a bundle, and measures it on its split's test subset.

    Args:
        run_dir: A finished run.
        out: The bundle's directory, new or empty. It appears whole or not at all.
        data_dir: The folder with EMNIST's files: the graph is checked on the validation subset, and measured
            on the test subset.
        name: The bundle's name; the name of ``out`` where None.
        version: The bundle's version.

    Returns:
        The figures on the test subset, which ``model.json`` carries too.

    Raises:
        TrainingError: The run is unfinished, ``out`` is in use, or torch and ONNX Runtime differ.
        DataError: The data can't be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists already: remove it, or give another directory to --out.")
    config = Config.read(run_dir)
    chars = SPLIT_CHARS[config.split]
    network = load_network(run_dir, chars)
    train, val = load_training(data_dir, config.split)
    test = load(data_dir, config.split, "test")

    graph = _graph(network, val.images[:2]).SerializeToString()
    info = ModelInfo(
        name=name or out.resolve().name,
        version=version,
        split=config.split,
        chars=chars,
        recipe=config.recipe.name,
        trained_on=TrainedOn(split=config.split, images=len(train), sha256=config.data_sha256),
        measured=None,
        temperature=1.0,
        rejection={},
        parameters=sum(weights.numel() for weights in network.parameters()),
        sha256=hashlib.sha256(graph).hexdigest(),
    )
    recognizer = Recognizer(Bundle(info, graph), threads=config.threads)
    compare(network, recognizer, val)
    evaluation = evaluate(recognizer, test, data_dir)
    measured = Measured(
        split=test.split,
        images=len(test),
        accuracy=round(evaluation.accuracy, 6),
        loss=round(evaluation.loss, 6),
    )
    _write(out, graph, info.model_copy(update={"measured": measured}))
    return evaluation


def compare(network: torch.nn.Module, recognizer: Recognizer, subset: Subset) -> None:
    """Checks that the exported graph computes what the network computes.

    Args:
        network: The network, on the CPU and ready to infer.
        recognizer: The graph, loaded.
        subset: Real images to compare on.

    Raises:
        TrainingError: The logits of some image differ.
        DataError: There is no image to compare on.
    """
    if len(subset) == 0:
        raise DataError("There is no image to compare torch with ONNX Runtime on: the train file is too small.")
    with torch.inference_mode():
        by_torch = np.concatenate(
            [
                network(torch.from_numpy(images)).numpy()
                for images in np.array_split(subset.images, 1 + len(subset) // 1024)
            ]
        )
    difference = float(np.abs(by_torch - recognizer.logits(subset.images)).max())
    if not difference <= _MAX_LOGIT_DIFFERENCE:
        raise TrainingError(
            f"The exported graph differs from the network: logits by up to {difference:.2g} on {len(subset):,} "
            f"images, {_MAX_LOGIT_DIFFERENCE} allowed. No bundle was written."
        )


def _graph(network: torch.nn.Module, example: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> onnx.ModelProto:
    # The exporter warns of its own internals, nothing that a caller could act on; `compare` judges the result.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (torch.from_numpy(example),),
            input_names=["glyphs"],
            output_names=["logits"],
            dynamic_shapes={"glyphs": {0: torch.export.Dim("N")}},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise TrainingError("torch gave no ONNX program.")
    graph = program.model_proto
    # The exporter notes the source line of each node, with paths: nobody's business, and a third of the file.
    for node in [
        graph,
        graph.graph,
        *graph.graph.node,
        *graph.graph.value_info,
        *graph.graph.input,
        *graph.graph.output,
    ]:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _write(out: Path, graph: bytes, info: ModelInfo) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        (temporary / "model.onnx").write_bytes(graph)
        write_text(temporary / "model.json", info.model_dump_json(indent=2) + "\n")
        temporary.chmod(0o755)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
