"""A bundle as it would be without rejection."""

from __future__ import annotations

import onnx

from penread.bundle import Bundle


def without_kinds(bundle: Bundle) -> Bundle:
    """Takes the head off a bundle's graph, and the thresholds out of its description."""
    model = onnx.load_model_from_string(bundle.onnx)
    del model.graph.output[1:]
    kept = [node for node in model.graph.node if not any("kinds" in name for name in node.output)]
    weights = [each for each in model.graph.initializer if not each.name.startswith("kinds")]
    for field, values in ((model.graph.node, kept), (model.graph.initializer, weights)):
        del field[:]
        field.extend(values)
    return Bundle(bundle.info.model_copy(update={"rejection": {}}), model.SerializeToString())
