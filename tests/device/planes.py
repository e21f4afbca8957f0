"""Arrays for the page's modules in Node, and what comes back of them; see ``arrays.mjs``."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tests.device.conftest import WEB


def plane(levels: np.ndarray) -> dict[str, Any]:
    """A channel of a picture, or a map of ink, as the modules have it."""
    return {"data": levels, "width": levels.shape[1], "height": levels.shape[0]}


def shown(levels: np.ndarray) -> dict[str, Any]:
    """A picture as ``device/paper.js`` takes it: uint8 (H, W) or RGB, (H, W, 3)."""
    channels = levels.reshape(*levels.shape[:2], -1)
    return {
        "width": levels.shape[1],
        "height": levels.shape[0],
        "channels": [channels[:, :, at] for at in range(channels.shape[2])],
    }


def levels_of(answer: dict[str, Any]) -> np.ndarray:
    levels: np.ndarray = answer["data"].reshape(answer["height"], answer["width"])
    return levels


def in_arrays(module: str, function: str, calls: list[list[Any]]) -> list[Any]:
    """Calls a function of a module in ``device/`` in Node, once for each list of arguments."""
    node = shutil.which("node")
    assert node, "The page's modules are tested in Node, too: install Node.js 20 or newer."
    script = Path(__file__).with_name("arrays.mjs")
    done = subprocess.run(
        [node, script, WEB / "device" / module, function],
        input=json.dumps(calls, default=_encoded),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout, object_hook=_decoded))


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"bytes": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode(), "type": value.dtype.name}
    return value.item()


def _decoded(value: dict[str, Any]) -> Any:
    if "bytes" not in value:
        return value
    dtype = "uint8" if value["type"] == "uint8clamped" else value["type"]
    return np.frombuffer(base64.b64decode(value["bytes"]), dtype)
