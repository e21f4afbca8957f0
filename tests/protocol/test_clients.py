"""The Open Inference Protocol by the clients that people have: Triton's and KServe's, as they are installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import penread
from penread.charset import SPLIT_CHARS
from tests.protocol.conftest import assert_same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from penread import Recognizer

Results = dict[str, Any]
CHARS = SPLIT_CHARS["pool47"]


def calls(python: Path, script: str, url: str, glyphs: NDArray[np.uint8], folder: Path) -> Results:
    """Runs a script of calls in the clients' environment; gives what it printed."""
    path = folder / "glyphs.npy"
    np.save(path, glyphs)
    done = subprocess.run(
        [python, Path(__file__).with_name(script), url, path], stdout=subprocess.PIPE, check=True, timeout=240
    )
    results: Results = json.loads(done.stdout)
    return results


@pytest.fixture(scope="module")
def triton(
    client_python: Path, address: str, glyphs: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> Results:
    folder = tmp_path_factory.mktemp("triton")
    return calls(client_python, "triton_calls.py", address.removeprefix("http://"), glyphs, folder)


@pytest.fixture(scope="module")
def kserve(
    client_python: Path, address: str, glyphs: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> Results:
    return calls(client_python, "kserve_calls.py", address, glyphs, tmp_path_factory.mktemp("kserve"))


def test_triton_finds_server_and_models_ready(triton: Results) -> None:
    asked = ["live", "ready", "model_ready", "version_ready", "unknown_ready", "unknown_version_ready"]
    assert [triton[each] for each in asked] == [True, True, True, True, False, False]


def test_triton_is_told_what_there_is(triton: Results, recognizers: dict[str, Recognizer]) -> None:
    versions = {name: recognizer.info.version for name, recognizer in recognizers.items()}
    assert triton["server"] == {
        "name": "penread",
        "version": penread.__version__,
        "extensions": ["binary_tensor_data", "model_configuration"],
    }
    assert triton["metadata"] == {
        "name": "balanced",
        "versions": [versions["balanced"]],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "glyphs", "datatype": "UINT8", "shape": [-1, 28, 28]}],
        "outputs": [
            {"name": "logits", "datatype": "FP32", "shape": [-1, len(CHARS)]},
            {"name": "kinds", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "char", "datatype": "BYTES", "shape": [-1]},
            {"name": "confidence", "datatype": "FP32", "shape": [-1]},
        ],
        "parameters": {"chars": CHARS},
    }
    other = {"name": "reference", "versions": [versions["reference"]]}
    assert triton["version_metadata"] == {**triton["metadata"], **other}
    assert [(each["name"], each["version"], each["state"]) for each in triton["index"]] == [
        (name, version, "READY") for name, version in versions.items()
    ]


def test_tritons_configuration_has_the_tensors_of_the_metadata(triton: Results) -> None:
    config, metadata = triton["config"], triton["metadata"]
    assert (config["name"], config["platform"], config["max_batch_size"]) == ("balanced", metadata["platform"], 0)
    for there, here in (("inputs", "input"), ("outputs", "output")):
        types = {each["name"]: (each["datatype"].replace("BYTES", "STRING"), each["shape"]) for each in metadata[there]}
        assert {each["name"]: (each["data_type"].removeprefix("TYPE_"), each["dims"]) for each in config[here]} == types


@pytest.mark.parametrize(
    "way",
    ["defaults", "json", "request gzip", "request deflate", "response gzip", "response deflate", "async", "by hand"],
)
def test_triton_reads_what_python_reads(
    triton: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8], way: str
) -> None:
    answer = triton[way]
    assert list(answer["outputs"]) == ["logits", "kinds", "char", "confidence"]
    assert_same(answer["outputs"], recognizers["balanced"], glyphs)
    assert (answer["model"], answer["id"]) == (["balanced", recognizers["balanced"].info.version], None)


def test_the_glyphs_have_all_kinds_of_answers(recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]) -> None:
    predictions = recognizers["balanced"].predict_many(glyphs)
    assert [each.rejected for each in predictions[:3]] == ["blank", "unclear", "unclear"]
    assert sum(each.char is not None for each in predictions) >= 10


def test_triton_names_a_model_and_a_version(
    triton: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    assert triton["version"]["model"] == ["reference", recognizers["reference"].info.version]
    assert_same(triton["version"]["outputs"], recognizers["reference"], glyphs)


def test_triton_gets_what_it_asks_for_in_its_order(
    triton: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    assert list(triton["asked"]["outputs"]) == ["confidence", "char"]
    assert_same(triton["asked"]["outputs"], recognizers["balanced"], glyphs)


def test_triton_gets_its_id_back_and_may_send_parameters(triton: Results) -> None:
    assert triton["named"]["id"] == "form 7, field 3"
    assert triton["named"]["outputs"] == triton["defaults"]["outputs"]


def test_triton_sends_one_none_and_as_many_as_there_may_be(
    triton: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    assert_same(triton["one"]["outputs"], recognizers["balanced"], glyphs[5:6])
    assert [np.size(values) for values in triton["none"]["outputs"].values()] == [0, 0, 0, 0]
    assert triton["many"]["outputs"]["char"] == 16 * triton["defaults"]["outputs"]["char"]


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("model", "404", "this server has balanced, reference"),
        ("metadata", "404", "this server has balanced, reference"),
        ("version", "404", "There is no such version; balanced is "),
        ("datatype", "400", "datatype: Input should be 'UINT8'"),
        ("shape", "400", "shape"),
        ("too many", "400", "shape.0: Input should be less than or equal to 256"),
        ("output", "400", "'logits', 'kinds', 'char' or 'confidence'"),
        ("classes", "400", "no classification extension"),
        ("load", "404", "PENREAD_BUNDLE"),
        ("unload", "404", "PENREAD_BUNDLE"),
        ("statistics", "404", "/metrics"),
        ("model statistics", "404", "/metrics"),
        ("trace", "404", "no trace extension"),
        ("model trace", "404", "no trace extension"),
        ("log", "404", "PENREAD_LOG_LEVEL"),
        ("log settings", "404", "PENREAD_LOG_LEVEL"),
        ("shared memory", "404", "shares no memory"),
        ("register", "404", "shares no memory"),
        ("unregister", "404", "shares no memory"),
        ("cuda memory", "404", "shares no memory"),
        ("cuda register", "404", "shares no memory"),
    ],
)
def test_triton_is_told_why_something_is_refused(triton: Results, what: str, status: str, message: str) -> None:
    got_status, got_message = triton["refused"][what]
    assert got_status == status
    assert message in got_message


def test_kserve_finds_server_and_models_ready(kserve: Results) -> None:
    assert [kserve[each] for each in ("live", "ready", "model_ready", "unknown_ready")] == [True, True, True, False]


@pytest.mark.parametrize("way", ["defaults", "json", "dict", "all binary"])
def test_kserve_reads_what_python_reads(
    kserve: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8], way: str
) -> None:
    assert list(kserve[way]["outputs"]) == ["logits", "kinds", "char", "confidence"]
    assert_same(kserve[way]["outputs"], recognizers["balanced"], glyphs)


def test_kserve_names_a_model(kserve: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]) -> None:
    assert kserve["other model"]["model"] == "reference"
    assert_same(kserve["other model"]["outputs"], recognizers["reference"], glyphs)


def test_kserve_gets_what_it_asks_for_and_its_id(
    kserve: Results, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    assert list(kserve["asked"]["outputs"]) == ["confidence", "char"]
    assert_same(kserve["asked"]["outputs"], recognizers["balanced"], glyphs)
    assert kserve["asked"]["id"] == "form 7"


@pytest.mark.parametrize(
    ("what", "status", "message"),
    [
        ("model", 404, "this server has balanced, reference"),
        ("shape", 400, "shape"),
        ("output", 400, "'logits', 'kinds', 'char' or 'confidence'"),
    ],
)
def test_kserve_is_told_why_something_is_refused(kserve: Results, what: str, status: int, message: str) -> None:
    got_status, got_message = kserve["refused"][what]
    assert got_status == status
    assert message in got_message
