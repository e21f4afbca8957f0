"""From a graph in float32 to one that multiplies 8-bit integers: a quarter of the size, and faster.

ONNX Runtime's static quantisation: weights are rounded for each filter, planes by the range that they have on real
glyphs. A network's first layer and its last stay in float32: they are little of the work, and rounding there changes
the most answers.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_BATCH = 100


class _Glyphs(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, name: str, glyphs: NDArray[np.uint8]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.uint8]]] = (
            {name: glyphs[first : first + _BATCH]} for first in range(0, len(glyphs), _BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._feeds, None)


def quantize(graph: onnx.ModelProto, glyphs: NDArray[np.uint8]) -> onnx.ModelProto:
    """Quantises a graph.

    Args:
        graph: Takes glyphs, in float32 inside.
        glyphs: uint8 (N, 28, 28): real ones of all classes, not of a test.

    Returns:
        A graph with the same input and output.
    """
    # ONNX Runtime's quantiser logs advice to the root logger for graphs that this is none of.
    logging.getLogger().addFilter(_silent)
    try:
        with tempfile.TemporaryDirectory() as folder:
            exact, prepared, quantized = (Path(folder) / name for name in ("exact", "prepared", "quantized"))
            onnx.save(graph, exact)
            # The symbolic inference of shapes knows no maximum over given axes; the other is enough here.
            quant_pre_process(exact, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                quantized,
                _Glyphs(graph.graph.input[0].name, glyphs),
                quant_format=QuantFormat.QDQ,
                calibrate_method=CalibrationMethod.MinMax,
                per_channel=True,
                # Unsigned planes and 7-bit weights: on processors without VNNI instructions sums of wider ones
                # overflow, and the same bundle would read differently there.
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                reduce_range=True,
                nodes_to_exclude=_first_and_last(onnx.load(prepared).graph),
            )
            return onnx.load(quantized)
    finally:
        logging.getLogger().removeFilter(_silent)


def _first_and_last(graph: onnx.GraphProto) -> list[str]:
    """Finds the layers that see the glyph, and those that give logits."""
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    return [
        layer.name
        for layer in graph.node
        if (layer.op_type == "Conv" and shapes[layer.input[1]][1] == 1)
        or (layer.op_type in ("Gemm", "MatMul") and classes in shapes[layer.input[1]])
    ]


def _silent(_: logging.LogRecord) -> bool:
    return False
