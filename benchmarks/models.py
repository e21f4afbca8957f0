"""Compares the shipped bundles, or others, in one run: size, accuracy, time of one glyph, throughput.

    python benchmarks/models.py [BUNDLE ...]

One glyph takes one thread; a batch takes all cores. The last column is what a batch reaches of the machine's matrix
peak: multiply-adds a second, compared with those of ONNX Runtime's own product of two large matrices in the same
precision on as many cores. The bundles take turns, so that whatever else the machine does meets them alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer
from penread.bundle import Bundle, shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_STROKES = [[[5.0, 0.0], [5.0, 20.0], [5.0, 40.0], [18.0, 40.0], [30.0, 40.0]]]
_ROUNDS, _CALLS, _BATCH, _SIDE = 15, 100, 1024, 768


def time_s(call: Callable[[], object]) -> float:
    """Times one call, in seconds."""
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def matrix_product(precision: str) -> Callable[[], object]:
    """Makes a product of two square matrices on all cores."""
    rng = np.random.default_rng(0)
    left: NDArray[np.generic]
    right: NDArray[np.generic]
    if precision == "int8":
        operator, kinds, out = "MatMulInteger", (TensorProto.UINT8, TensorProto.INT8), TensorProto.INT32
        left = rng.integers(0, 255, (_SIDE, _SIDE), dtype=np.uint8)
        right = rng.integers(-64, 64, (_SIDE, _SIDE), dtype=np.int8)
    else:
        operator, kinds, out = "MatMul", (TensorProto.FLOAT, TensorProto.FLOAT), TensorProto.FLOAT
        left, right = rng.random((_SIDE, _SIDE), dtype=np.float32), rng.random((_SIDE, _SIDE), dtype=np.float32)
    shape = [_SIDE, _SIDE]
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", kinds[0], shape)],
        [helper.make_tensor_value_info("c", out, shape)],
        # A constant, as a network's weights are: ONNX Runtime packs it beforehand.
        [helper.make_tensor("b", kinds[1], shape, right.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": left})


def main() -> None:
    """Prints a row a bundle."""
    bundles = [Bundle.load(name) for name in sys.argv[1:] or shipped()]
    one = [Recognizer(bundle) for bundle in bundles]
    many = [Recognizer(bundle, threads=0) for bundle in bundles]
    products = {each.info.precision: matrix_product(each.info.precision) for each in bundles}
    glyph = Ink(_STROKES).glyph()[None]
    batch = np.repeat(glyph, _BATCH, axis=0)
    one_s: list[list[float]] = [[] for _ in bundles]
    batch_s: list[list[float]] = [[] for _ in bundles]
    product_s: dict[str, list[float]] = {kind: [] for kind in products}
    for _ in range(_ROUNDS):
        for number in range(len(bundles)):
            calls = [time_s(lambda: one[number].logits(glyph)) for _ in range(_CALLS)]  # noqa: B023 - called at once
            one_s[number].append(statistics.median(calls))
            batch_s[number].append(time_s(lambda: many[number].logits(batch)))  # noqa: B023 - called at once
        for kind, product in products.items():
            # The threads of what ran before spin on for a while: of several, some have the cores to themselves.
            product_s[kind].extend(time_s(product) for _ in range(10))
    peaks: dict[str, float] = {kind: _SIDE**3 / min(times) for kind, times in product_s.items()}

    table = Table(
        *("bundle", "parameters", "multiply-adds", "precision", "size", "accuracy"),
        *("one glyph, one thread", f"glyphs/s, {os.cpu_count()} cores", "of the matrix peak"),
    )
    for number, bundle in enumerate(bundles):
        info = bundle.info
        per_s = _BATCH / statistics.median(batch_s[number])
        table.add_row(
            f"{info.name} {info.version}",
            f"{info.parameters:,}",
            f"{info.multiply_adds / 1e6:.1f} M",
            info.precision,
            f"{len(bundle.onnx) / 1e6:.2f} MB",
            f"{info.measured.accuracy:.2%}" if info.measured else "",
            f"{statistics.median(one_s[number]) * 1e3:.3f} ms",
            f"{per_s:,.0f}",
            f"{per_s * info.multiply_adds / peaks[info.precision]:.0%}",
        )
    Console(width=160).print(table)
    for label, peak in sorted(peaks.items()):
        Console().print(f"matrix peak in {label}: {peak / 1e9:,.0f} billion multiply-adds a second")


if __name__ == "__main__":
    main()
