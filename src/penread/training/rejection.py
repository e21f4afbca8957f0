"""Gives a bundle's graph its second output: what the ink is. One character, several, or something else.

A small head reads the planes and logits that the finished network computes anyway, so the logits stay what they were,
bit by bit, and hardly any work is added. It learns from examples made up for it
(``penread.training.counterexamples``); the threshold is put where a hundredth of the characters held back is rejected.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from penread.bundle import KINDS
from penread.errors import TrainingError
from penread.training.counterexamples import CHARACTERS, examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from penread.training.counterexamples import Examples
    from penread.training.data import Subset

#: Part of the characters held back that the threshold rejects.
REJECTED_SHARE = 0.01

# Examples to learn from; of a small train file fewer.
_EXAMPLES, _PER_CHARACTER = 100_000, 2
# Examples to put the threshold by.
_HELD_BACK = 12_000
# Planes of these widths are read, brought to the smaller. Those of 28 pixels tell hardly more, and take time.
_WIDTHS = (14, 7)
_FILTERS, _HIDDEN = 48, 96
_EPOCHS, _BATCH, _LEARNING_RATE, _WEIGHT_DECAY = 8, 256, 4e-3, 0.02


def add_rejection(
    graph: onnx.ModelProto, train: Subset, val: Subset, *, seed: int = 0
) -> tuple[onnx.ModelProto, dict[str, float]]:
    """Adds the output ``kinds`` to a graph, and chooses the threshold of rejection.

    Args:
        graph: Takes glyphs and gives logits, in float32 or 8-bit integers. It stays as it is.
        train: Characters to learn from.
        val: Characters held back, for the threshold.
        seed: Of the examples and of the head's weights.

    Returns:
        A graph with the outputs ``logits``, unchanged, and ``kinds``, float (N, 3): logits of the ink being each of
        ``penread.bundle.KINDS``; and the thresholds for ``model.json``.

    Raises:
        TrainingError: The graph has no planes that a head could read, or its logits changed.
    """
    trunk = _with_planes(graph)
    threads = torch.get_num_threads()
    # For so small a head more threads spend their time on each other, and their number would change the last digits.
    torch.set_num_threads(1)
    try:
        learnt_from = examples(train, min(_EXAMPLES, _PER_CHARACTER * len(train)), seed)
        head = _fit(*_features(trunk, learnt_from.glyphs), learnt_from, seed)
        held_back = examples(val, min(_HELD_BACK, 4 * len(val)), seed + 1)
    finally:
        torch.set_num_threads(threads)
    whole = _with_head(trunk, head)
    _compare(graph, whole, val.images)
    real = np.concatenate([val.images, held_back.glyphs[held_back.sources == CHARACTERS]])
    return whole, {"unclear": choose_threshold(_not_one(whole, real))}


def choose_threshold(not_one: NDArray[np.float64]) -> float:
    """Finds the probability that a hundredth of real characters exceeds.

    Args:
        not_one: The probability of not being one character, of each character held back, float (N,).
    """
    return round(float(np.clip(np.quantile(not_one, 1 - REJECTED_SHARE), 0.01, 0.99)), 3)


class Head(nn.Module):
    """The head: two small convolutions, the mean and the maximum of all planes, old and new, the logits, two layers.

    Args:
        planes: Mean and standard deviation of each plane that it reads, float (2, planes).
        logits: The same of the logits, with the logarithm of the sum of their exponentials and their maximum behind
            them, float (2, classes + 2).
    """

    def __init__(self, planes: Tensor, logits: Tensor) -> None:
        super().__init__()
        self.planes, self.logits = planes, logits
        self.narrow = nn.Conv2d(planes.shape[1], _FILTERS, 1)
        self.look = nn.Conv2d(_FILTERS, _FILTERS, 3)
        self.hidden = nn.Linear(2 * (planes.shape[1] + _FILTERS) + logits.shape[1], _HIDDEN)
        self.answer = nn.Linear(_HIDDEN, len(KINDS))

    def forward(self, planes: Tensor, logits: Tensor) -> Tensor:
        """Computes logits of the kinds, float (N, 3), from planes (N, planes, 7, 7) and logits (N, classes + 2)."""
        planes = ((planes - self.planes[0, :, None, None]) / self.planes[1, :, None, None]).contiguous(
            memory_format=torch.channels_last
        )
        seen = relu(self.look(relu(self.narrow(planes))))
        pooled = [planes.mean((2, 3)), planes.amax((2, 3)), seen.mean((2, 3)), seen.amax((2, 3))]
        answer: Tensor = self.answer(
            relu(self.hidden(torch.cat([*pooled, (logits - self.logits[0]) / self.logits[1]], 1)))
        )
        return answer


def _fit(planes: NDArray[np.float16], logits: NDArray[np.float32], learnt_from: Examples, seed: int) -> Head:
    """Trains a head."""
    torch.manual_seed(seed)
    head = Head(_spread(planes, (0, 2, 3)), _spread(logits, (0,)))
    inputs, answers, kinds = torch.from_numpy(planes), torch.from_numpy(logits), torch.from_numpy(learnt_from.kinds)
    steps = _EPOCHS * -(-len(kinds) // _BATCH)
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(kinds)), _BATCH):
            loss = cross_entropy(head(inputs[batch].float(), answers[batch]), kinds[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            schedule.step()
    return head.eval()


def _spread(values: NDArray[np.floating], axes: tuple[int, ...]) -> Tensor:
    """Gives means and standard deviations over some axes, float (2, the rest)."""
    mean, deviation = values.mean(axis=axes, dtype=np.float64), values.std(axis=axes, dtype=np.float64)
    return torch.from_numpy(np.stack([mean, deviation + 1e-3])).float()


# --- the graph -------------------------------------------------------------------------------------------------------

_PLANES, _LOGITS = "kinds_planes", "kinds_logits"


def _with_planes(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Adds what the head reads: the last planes of each width, brought to one width; logits, their sum and maximum."""
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(graph).graph.value_info
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    made = [name for node in graph.graph.node for name in node.output]
    last = {
        shape[2]: name
        for name in made
        if len(shape := shapes.get(name, [])) == 4 and shape[1] > 1 and shape[2] == shape[3] in _WIDTHS
    }
    if not last:
        raise TrainingError(f"The graph has no planes {_WIDTHS} pixels wide: there is nothing to tell kinds by.")
    whole = copy.deepcopy(graph)
    pooled = []
    for width, name in sorted(last.items(), reverse=True):
        shrink = width // min(_WIDTHS)
        pooled.append(f"kinds_planes_{width}")
        whole.graph.node.append(
            helper.make_node("AveragePool", [name], [pooled[-1]], kernel_shape=[shrink] * 2, strides=[shrink] * 2)
        )
    whole.graph.node.append(helper.make_node("Concat", pooled, [_PLANES], axis=1))
    axes = numpy_helper.from_array(np.array([1]), "kinds_axis")
    whole.graph.initializer.append(axes)
    of_logits = {"ReduceLogSumExp": "kinds_sum", "ReduceMax": "kinds_most"}
    for operator, name in of_logits.items():
        whole.graph.node.append(helper.make_node(operator, ["logits", axes.name], [name], keepdims=1))
    whole.graph.node.append(helper.make_node("Concat", ["logits", *of_logits.values()], [_LOGITS], axis=1))
    return whole


def _features(trunk: onnx.ModelProto, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Computes what the head reads: planes, float16 (N, planes, 7, 7), and logits, float (N, classes + 2)."""
    runs = [(planes.astype(np.float16), logits) for planes, logits in _run(trunk, [_PLANES, _LOGITS], glyphs)]
    return np.concatenate([planes for planes, _ in runs]), np.concatenate([logits for _, logits in runs])


def _compare(graph: onnx.ModelProto, whole: onnx.ModelProto, glyphs: NDArray[np.uint8]) -> None:
    """Checks that the logits are the same, bit by bit."""
    for before, after in zip(_run(graph, ["logits"], glyphs), _run(whole, ["logits", "kinds"], glyphs), strict=True):
        if not np.array_equal(before[0], after[0]):
            raise TrainingError("The output for rejection changed the logits. No bundle was written.")


def _not_one(whole: onnx.ModelProto, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Computes the probability that glyphs are not one character."""
    logits = torch.from_numpy(np.concatenate([kinds for [kinds] in _run(whole, ["kinds"], glyphs)])).double()
    return np.asarray(1 - logits.softmax(1)[:, 0].numpy())


def _run(graph: onnx.ModelProto, outputs: list[str], glyphs: NDArray[np.uint8]) -> list[list[NDArray[np.float32]]]:
    """Runs a graph for some of its values, batch by batch."""
    wanted = copy.deepcopy(graph)
    del wanted.graph.output[:]
    wanted.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs)
    session = onnxruntime.InferenceSession(wanted.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(outputs, {name: glyphs[first : first + _BATCH]}) for first in range(0, len(glyphs), _BATCH)]


def _with_head(trunk: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Adds the head and its output."""
    whole = copy.deepcopy(trunk)

    def add(operator: str, inputs: list[str], name: str, **attributes: int) -> str:
        output = name if name == "kinds" else f"kinds_{name}"
        node = helper.make_node(operator, inputs, [output])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        whole.graph.node.append(node)
        return output

    def weights(name: str, values: Tensor) -> str:
        # Half precision is enough, and half the size; ONNX Runtime widens it when it loads the graph.
        half = numpy_helper.from_array(values.detach().numpy().astype(np.float16), f"kinds_{name}_half")
        whole.graph.initializer.append(half)
        return add("Cast", [half.name], name, to=TensorProto.FLOAT)

    def layer(operator: str, read: str, name: str, weight: Tensor, bias: Tensor, **attributes: int) -> str:
        return add(
            operator, [read, weights(f"{name}_weight", weight), weights(f"{name}_bias", bias)], name, **attributes
        )

    # Bringing planes to mean 0 and deviation 1 is part of the weights that read them.
    mean, deviation = head.planes
    narrow = head.narrow.weight / deviation[:, None, None]
    narrow_bias = _bias(head.narrow) - narrow[:, :, 0, 0] @ mean
    # In the order of what is joined below; the planes that the head made are as they should be.
    means = torch.cat([mean.repeat(2), torch.zeros(2 * _FILTERS), head.logits[0]])
    deviations = torch.cat([deviation.repeat(2), torch.ones(2 * _FILTERS), head.logits[1]])
    hidden = head.hidden.weight / deviations
    hidden_bias = _bias(head.hidden) - hidden @ means

    narrowed = add("Relu", [layer("Conv", _PLANES, "narrow", narrow, narrow_bias)], "narrowed")
    seen = add("Relu", [layer("Conv", narrowed, "look", head.look.weight, _bias(head.look))], "seen")
    axes = numpy_helper.from_array(np.array([2, 3]), "kinds_axes")
    whole.graph.initializer.append(axes)
    pooled = [
        add(operator, [planes, axes.name], f"{operator}_of_{planes}", keepdims=0)
        for planes in (_PLANES, seen)
        for operator in ("ReduceMean", "ReduceMax")
    ]
    inner = layer("Gemm", add("Concat", [*pooled, _LOGITS], "pooled", axis=1), "hidden", hidden, hidden_bias, transB=1)
    layer("Gemm", add("Relu", [inner], "inner"), "kinds", head.answer.weight, _bias(head.answer), transB=1)
    count = whole.graph.output[0].type.tensor_type.shape.dim[0].dim_param or "N"
    whole.graph.output.append(helper.make_tensor_value_info("kinds", TensorProto.FLOAT, [count, len(KINDS)]))
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None
    return layer.bias
