"""From finished runs to a bundle: ``model.onnx``, checked against torch on real images, and ``model.json``.

    penread export runs/reference --data-dir data/emnist --out bundles/reference

The temperature is fitted and the threshold of rejection chosen on the validation subset; the test subset is only
measured.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch

from penread.bundle import Bundle, Measured, ModelInfo, Run, TrainedOn
from penread.charset import SPLIT_CHARS
from penread.errors import DataError, TrainingError
from penread.files import write_text
from penread.recognizer import Recognizer
from penread.training import networks
from penread.training.calibrate import fit_temperature
from penread.training.data import Subset, load, load_training, training_sums
from penread.training.evaluate import Evaluation, evaluate
from penread.training.loop import Config, class_shares, epoch_order, load_network
from penread.training.quantize import quantize
from penread.training.rejection import add_rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Logits are around ten; the two sum in different orders, in float32.
_MAX_LOGIT_DIFFERENCE = 1e-3
_MAX_ACCURACY_LOST = 0.001
_CALIBRATION_GLYPHS = 2000


def export(
    run_dirs: Sequence[Path],
    out: Path,
    data_dir: Path,
    *,
    name: str | None = None,
    version: str = "1.0",
    int8: bool = False,
) -> Evaluation:
    """Exports a run as a bundle, or several that read together, and measures it on their split's test subset.

    Args:
        run_dirs: Finished runs on the same data: one, or several whose logits the bundle averages.
        out: The bundle's directory, new or empty. It appears whole or not at all.
        data_dir: The folder with EMNIST's files: the graph is checked on the validation subset, and measured
            on the test subset.
        name: The bundle's name; the name of ``out`` where None.
        version: The bundle's version.
        int8: Whether the graph multiplies 8-bit integers: a quarter of the size, and faster.

    Returns:
        The figures on the test subset, which ``model.json`` carries too.

    Raises:
        TrainingError: A run is unfinished or on other data, ``out`` is in use, torch and ONNX Runtime differ,
            8-bit integers cost too much accuracy, or the output for rejection changed the logits.
        DataError: The data can't be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} exists already: remove it, or give another directory to --out.")
    configs = [Config.read(run_dir) for run_dir in run_dirs]
    config = configs[0]
    if any(other.data_sha256 != config.data_sha256 for other in configs):
        raise TrainingError("Runs can read together only if they were trained on the same files.")
    if training_sums(data_dir, config.split) != config.data_sha256:
        raise TrainingError(f"The {config.split} files in {data_dir} are not those that {run_dirs[0]} was trained on.")
    chars = SPLIT_CHARS[config.split]
    each = [load_network(run_dir, chars) for run_dir in run_dirs]
    network = each[0] if len(each) == 1 else networks.Ensemble(each).eval()
    train, val = load_training(data_dir, config.split)
    test = load(data_dir, config.split, "test")

    model = to_onnx(network, val.images[:2])
    graph = model.SerializeToString()
    info = ModelInfo(
        name=name or out.resolve().name,
        version=version,
        split=config.split,
        chars=chars,
        runs=[Run.model_validate(made.made_by) for made in configs],
        trained_on=TrainedOn(split=config.split, images=len(train), sha256=config.data_sha256),
        measured=None,
        temperature=1.0,
        rejection={},
        precision="float32",
        parameters=sum(weights.numel() for weights in network.parameters()),
        multiply_adds=networks.multiply_adds(network),
        sha256=_sum(graph),
    )
    recognizer = Recognizer(Bundle(info, graph), threads=config.threads)
    compare(network, recognizer, val)
    if int8:
        model = quantize(model, _calibration(train))
        graph = model.SerializeToString()
        info = info.model_copy(update={"precision": "int8", "sha256": _sum(graph)})
        quantized = Recognizer(Bundle(info, graph), threads=config.threads)
        compare_accuracy(recognizer, quantized, val)
        recognizer = quantized
    temperature = round(fit_temperature(recognizer.logits(val.images), val.labels), 4)
    model, rejection = add_rejection(model, train, val)
    graph = model.SerializeToString()
    info = info.model_copy(update={"temperature": temperature, "rejection": rejection, "sha256": _sum(graph)})
    evaluation = evaluate(Recognizer(Bundle(info, graph), threads=config.threads), test, data_dir)
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


def compare_accuracy(exact: Recognizer, quantized: Recognizer, subset: Subset) -> None:
    """Checks that 8-bit integers cost hardly any accuracy.

    Args:
        exact: The bundle in float32.
        quantized: The same in 8-bit integers.
        subset: What to score both on.

    Raises:
        TrainingError: More than a tenth of a point is lost; of a small subset, more than three images.
    """
    before, after = (
        int((each.logits(subset.images).argmax(axis=1) == subset.labels).sum()) for each in (exact, quantized)
    )
    allowed = int(max(_MAX_ACCURACY_LOST * len(subset), 3))
    if before - after > allowed:
        raise TrainingError(
            f"8-bit integers cost too much: {after:,} of the {len(subset):,} validation images are read right instead "
            f"of {before:,}; {allowed} fewer would do. Leave out --int8."
        )


def _calibration(train: Subset) -> NDArray[np.uint8]:
    """Takes the same few glyphs of each class."""
    labels = train.labels
    return train.images[epoch_order(labels, 0, class_shares(labels, _CALIBRATION_GLYPHS, 0), seed=0)]


def _sum(graph: bytes) -> str:
    return hashlib.sha256(graph).hexdigest()


def to_onnx(network: torch.nn.Module, example: NDArray[np.uint8]) -> onnx.ModelProto:
    """Exports a network as an ONNX graph that takes any number of glyphs.

    Args:
        network: On the CPU, ready to infer.
        example: uint8 (2, 28, 28), any glyphs.

    Raises:
        TrainingError: The exporter failed.
    """
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
