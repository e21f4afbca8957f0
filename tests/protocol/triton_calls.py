"""Calls a server by Triton's client in every way that makes sense for it, and prints what came, as JSON.

python triton_calls.py 127.0.0.1:8000 glyphs.npy
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

# Neither is installed where this is checked.
import numpy as np
from tritonclient.http import (  # type: ignore[import-not-found]
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
)
from tritonclient.utils import InferenceServerException  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

OUTPUTS = ("logits", "kinds", "char", "confidence")


def given(glyphs: NDArray[Any], **options: Any) -> list[Any]:
    tensor = InferInput("glyphs", list(glyphs.shape), "UINT8" if glyphs.dtype == np.uint8 else "FP32")
    tensor.set_data_from_numpy(glyphs, **options)
    return [tensor]


def told(result: Any) -> dict[str, Any]:
    """An answer: each output that it has, in its order, the id and the model."""
    response = result.get_response()
    outputs = {}
    for each in response["outputs"]:
        array = result.as_numpy(each["name"])
        assert list(array.shape) == each["shape"]
        values = array.tolist()
        is_text = each["datatype"] == "BYTES"
        outputs[each["name"]] = [v.decode() if isinstance(v, bytes) else v for v in values] if is_text else values
    model = [response["model_name"], response["model_version"]]
    return {"outputs": outputs, "id": response.get("id"), "model": model}


def refused(call: Callable[[], Any]) -> list[str]:
    """What the client says of a refusal: its status and message."""
    try:
        answer = call()
    except InferenceServerException as error:
        return [str(error.status()), str(error.message())]
    raise AssertionError(f"answered {answer}")


def main() -> None:
    url, path = sys.argv[1:]
    glyphs = np.load(path)
    client = InferenceServerClient(url)
    asked = [InferRequestedOutput("confidence", binary_data=False), InferRequestedOutput("char")]

    def infer(**options: Any) -> dict[str, Any]:
        return told(client.infer("balanced", given(glyphs), **options))

    many = np.tile(glyphs, (16, 1, 1))
    body, json_size = InferenceServerClient.generate_request_body(given(glyphs))
    headers = {"Inference-Header-Content-Length": str(json_size), "Content-Type": "application/octet-stream"}
    request = Request(f"http://{url}/v2/models/balanced/infer", body, headers)
    with urlopen(request) as response:
        by_hand = InferenceServerClient.parse_response_body(
            response.read(), header_length=int(response.headers["Inference-Header-Content-Length"])
        )
    version = client.get_model_metadata("reference")["versions"][0]
    results = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("balanced"),
        "version_ready": client.is_model_ready("reference", version),
        "unknown_ready": client.is_model_ready("tesseract"),
        "unknown_version_ready": client.is_model_ready("balanced", "7"),
        "server": client.get_server_metadata(),
        "metadata": client.get_model_metadata("balanced"),
        "version_metadata": client.get_model_metadata("reference", version),
        "config": client.get_model_config("balanced"),
        "index": client.get_model_repository_index(),
        "defaults": infer(),
        "version": told(client.infer("reference", given(glyphs), model_version=version)),
        "json": told(
            client.infer(
                "balanced",
                given(glyphs, binary_data=False),
                outputs=[InferRequestedOutput(name, binary_data=False) for name in OUTPUTS],
            )
        ),
        "asked": infer(outputs=asked),
        "request gzip": infer(request_compression_algorithm="gzip"),
        "request deflate": infer(request_compression_algorithm="deflate"),
        "response gzip": infer(response_compression_algorithm="gzip"),
        "response deflate": infer(response_compression_algorithm="deflate"),
        "named": infer(request_id="form 7, field 3", priority=3, timeout=10_000_000, parameters={"who": "tests"}),
        "async": told(client.async_infer("balanced", given(glyphs)).get_result()),
        "by hand": told(by_hand),
        "one": told(client.infer("balanced", given(glyphs[5:6]))),
        "none": told(client.infer("balanced", given(glyphs[:0]))),
        "many": told(client.infer("balanced", given(many), outputs=[InferRequestedOutput("char")])),
        "refused": {
            "model": refused(lambda: client.infer("tesseract", given(glyphs))),
            "metadata": refused(lambda: client.get_model_metadata("tesseract")),
            "version": refused(lambda: client.get_model_metadata("balanced", "7")),
            "datatype": refused(lambda: client.infer("balanced", given(glyphs.astype(np.float32)))),
            "shape": refused(lambda: client.infer("balanced", given(glyphs.reshape(-1, 784)))),
            "too many": refused(lambda: client.infer("balanced", given(np.tile(glyphs, (17, 1, 1))))),
            "output": refused(lambda: infer(outputs=[InferRequestedOutput("scores")])),
            "classes": refused(lambda: infer(outputs=[InferRequestedOutput("logits", class_count=3)])),
            "load": refused(lambda: client.load_model("reference")),
            "unload": refused(lambda: client.unload_model("reference")),
            "statistics": refused(client.get_inference_statistics),
            "model statistics": refused(lambda: client.get_inference_statistics("balanced", version)),
            "trace": refused(client.get_trace_settings),
            "model trace": refused(lambda: client.update_trace_settings("balanced", {"trace_rate": "1"})),
            "log": refused(lambda: client.update_log_settings({"log_verbose_level": 1})),
            "log settings": refused(client.get_log_settings),
            "shared memory": refused(client.get_system_shared_memory_status),
            "register": refused(lambda: client.register_system_shared_memory("glyphs", "/glyphs", 784)),
            "unregister": refused(client.unregister_system_shared_memory),
            "cuda memory": refused(client.get_cuda_shared_memory_status),
            "cuda register": refused(lambda: client.register_cuda_shared_memory("glyphs", b"handle", 0, 784)),
        },
    }
    client.close()
    json.dump(results, sys.stdout)


main()
