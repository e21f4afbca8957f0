"""Calls a server by KServe's REST client in every way that makes sense for it, and prints what came, as JSON.

python kserve_calls.py http://127.0.0.1:8000 glyphs.npy
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

# Neither is installed where this is checked.
import httpx  # type: ignore[import-not-found]
import numpy as np
from kserve import (  # type: ignore[import-not-found]
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)
from kserve.protocol.infer_type import RequestedOutput  # type: ignore[import-not-found]


def told(response: Any) -> dict[str, Any]:
    """An answer: each output that it has, in its order, the id and the model."""
    outputs = {}
    for each in response.outputs:
        array = each.as_numpy()
        assert list(array.shape) == list(each.shape)
        values = array.tolist()
        outputs[each.name] = [v.decode() if isinstance(v, bytes) else v for v in values]
    return {"outputs": outputs, "id": response.id, "model": response.model_name}


async def refused(call: Any) -> list[Any]:
    """What the client says of a refusal: its status and message."""
    try:
        answer = await call
    except httpx.HTTPStatusError as error:
        return [error.response.status_code, str(error)]
    raise AssertionError(f"answered {answer}")


async def main() -> None:
    url, path = sys.argv[1:]
    glyphs = np.load(path)
    client = InferenceRESTClient(RESTConfig(protocol="v2"))

    def request(*, binary: bool | None = None, outputs: list[Any] | None = None, **options: Any) -> Any:
        tensor = InferInput("glyphs", list(glyphs.shape), "UINT8")
        if binary is None:
            tensor.set_data_from_numpy(glyphs)
        else:
            tensor.set_data_from_numpy(glyphs, binary_data=binary)
        return InferRequest("balanced", [tensor], request_outputs=outputs, **options)

    async def infer(data: Any, model: str = "balanced") -> dict[str, Any]:
        return told(await client.infer(url, data, model_name=model))

    asked = [RequestedOutput("confidence", {"binary_data": True}), RequestedOutput("char")]
    as_dict = {
        "inputs": [{"name": "glyphs", "shape": list(glyphs.shape), "datatype": "UINT8", "data": glyphs.tolist()}],
    }
    wrong = InferInput("glyphs", [1, 784], "UINT8")
    wrong.set_data_from_numpy(glyphs[:1].reshape(1, 784))
    results = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": await client.is_model_ready(url, "reference"),
        "unknown_ready": await client.is_model_ready(url, "tesseract"),
        "defaults": await infer(request()),
        "other model": await infer(request(), "reference"),
        "json": await infer(request(binary=False)),
        "dict": await infer(as_dict),
        "all binary": await infer(request(parameters={"binary_data_output": True})),
        "asked": await infer(request(outputs=asked, request_id="form 7")),
        "refused": {
            "model": await refused(infer(request(), "tesseract")),
            "shape": await refused(infer(InferRequest("balanced", [wrong]))),
            "output": await refused(infer(request(outputs=[RequestedOutput("scores")]))),
        },
    }
    await client.close()
    json.dump(results, sys.stdout)


asyncio.run(main())
