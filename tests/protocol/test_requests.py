"""The Open Inference Protocol over HTTP, request by request: what is answered, and what is refused how."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest

from penread import Ink
from tests.conftest import STROKES_L, serving
from tests.protocol.conftest import BUNDLES, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from penread import Recognizer

LENGTH = "Inference-Header-Content-Length"
INFER = "/v2/models/balanced/infer"
KEY = {"X-API-Key": "first"}


@pytest.fixture(scope="module")
def api(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A server that wants a key, lets little wait, and takes small bodies and 60 requests a minute."""
    env = {
        "PENREAD_API_KEYS": "first,second",
        "PENREAD_QUEUE": "1",
        "PENREAD_MAX_BODY_BYTES": "300000",
        "PENREAD_RATE_LIMIT": "60/minute",
    }
    with serving(env=env) as (address, _):
        yield address


def body_of(glyphs: NDArray[np.uint8], **fields: Any) -> dict[str, Any]:
    tensor = {"name": "glyphs", "shape": list(glyphs.shape), "datatype": "UINT8", "data": glyphs.ravel().tolist()}
    return {"inputs": [tensor], **fields}


def outputs_of(response: httpx2.Response) -> dict[str, Any]:
    """The outputs of an answer in JSON, by name, each in its shape."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert LENGTH not in response.headers
    return {
        each["name"]: each["data"] if each["datatype"] == "BYTES" else np.reshape(each["data"], each["shape"])
        for each in response.json()["outputs"]
    }


def error_of(response: httpx2.Response, status: int) -> str:
    """Checks that a response is an error of the protocol's; gives its message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    assert body["error"]
    return str(body["error"])


@pytest.mark.parametrize("bundle", BUNDLES)
def test_each_model_reads_by_its_name(
    api: httpx2.Client, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8], bundle: str
) -> None:
    recognizer = recognizers[bundle]
    for path in (f"/v2/models/{bundle}", f"/v2/models/{bundle}/versions/{recognizer.info.version}"):
        outputs = outputs_of(api.post(f"{path}/infer", json=body_of(glyphs)))
        assert_same(outputs, recognizer, glyphs)
        assert api.get(path).json()["name"] == bundle
        assert api.get(f"{path}/ready").json() == {"name": bundle, "ready": True}


def test_the_first_model_is_that_of_the_page_and_the_api(api: httpx2.Client) -> None:
    assert api.post("/api/v1/predict", json={"strokes": STROKES_L}).json()["model"]["name"] == BUNDLES[0]


def test_char_and_confidence_are_what_the_api_says(api: httpx2.Client, drawings: list[dict[str, Any]]) -> None:
    strokes = [each["strokes"] for each in drawings[:5]]
    said = [api.post("/api/v1/predict", json={"strokes": each, "include_glyph": True}).json() for each in strokes]
    outputs = outputs_of(api.post(INFER, json=body_of(np.stack([Ink(each).glyph() for each in strokes]))))
    assert outputs["char"] == [each["char"] or "" for each in said]
    assert outputs["confidence"] == pytest.approx([each["confidence"] for each in said], abs=2e-3)


def test_requests_at_a_time_get_each_its_own_answer(
    api: httpx2.Client, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    """One glyph each, so that they are gathered; and for both models."""

    def read(number: int) -> None:
        bundle = BUNDLES[number % 2]
        glyph = glyphs[number % len(glyphs)][None]
        outputs = outputs_of(api.post(f"/v2/models/{bundle}/infer", json=body_of(glyph)))
        assert_same(outputs, recognizers[bundle], glyph)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(64)))


def test_unknown_fields_are_passed_over_and_the_id_comes_back(api: httpx2.Client, glyphs: NDArray[np.uint8]) -> None:
    body = body_of(
        glyphs[:1], id="Größe 7", model_name="balanced", model_version=None, parameters={"timeout": 5, "x": "y"}
    )
    body["inputs"][0]["parameters"] = {"content_type": "np"}
    answer = api.post(INFER, json=body).json()
    assert answer["id"] == "Größe 7"
    assert answer["model_name"] == "balanced"


def test_nulls_are_as_if_left_out(api: httpx2.Client, glyphs: NDArray[np.uint8]) -> None:
    body = body_of(glyphs[:1], id=None, parameters=None, outputs=None)
    body["inputs"][0]["parameters"] = None
    assert "id" not in api.post(INFER, json=body).json()


def test_glyphs_alone_are_answered_in_binary(
    api: httpx2.Client, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    response = api.post(INFER, content=glyphs.tobytes(), headers={LENGTH: "0"})
    assert response.headers["content-type"] == "application/octet-stream"
    first = int(response.headers[LENGTH])
    outputs: dict[str, Any] = {}
    for each in json.loads(response.content[:first])["outputs"]:
        last = first + each["parameters"]["binary_data_size"]
        data = response.content[first:last]
        first = last
        if each["datatype"] == "FP32":
            outputs[each["name"]] = np.frombuffer(data, "<f4").reshape(each["shape"])
    assert first <= len(response.content)
    assert set(outputs) == {"logits", "kinds", "confidence"}
    assert_same(outputs, recognizers["balanced"], glyphs)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.5, GZIP;q=0.1", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip; q=0.000", None),
        ("identity", None),
        ("br", None),
        ("", None),
    ],
)
def test_answers_are_compressed_where_that_is_asked_for(
    api: httpx2.Client, glyphs: NDArray[np.uint8], accepted: str, encoding: str | None
) -> None:
    with api.stream("POST", INFER, json=body_of(glyphs), headers={"Accept-Encoding": accepted}) as response:
        content = b"".join(response.iter_raw())
    assert response.headers.get("content-encoding") == encoding
    plain = content
    if encoding:
        plain = gzip.decompress(content) if encoding == "gzip" else zlib.decompress(content)
    assert len(json.loads(plain)["outputs"]) == 4
    assert (len(content) < len(plain)) == (encoding is not None)


def test_short_answers_are_sent_as_they_are(api: httpx2.Client, glyphs: NDArray[np.uint8]) -> None:
    body = body_of(glyphs[:1], outputs=[{"name": "char"}])
    response = api.post(INFER, json=body, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers


def test_compressed_bodies_are_unpacked_and_bombs_are_not(
    api: httpx2.Client, recognizers: dict[str, Recognizer], glyphs: NDArray[np.uint8]
) -> None:
    packed = gzip.compress(json.dumps(body_of(glyphs)).encode())
    headers = {"Content-Encoding": "gzip"}
    assert_same(outputs_of(api.post(INFER, content=packed, headers=headers)), recognizers["balanced"], glyphs)
    assert "one whole piece of gzip" in error_of(api.post(INFER, content=packed[:-9], headers=headers), 400)
    assert "isn't gzip" in error_of(api.post(INFER, content=b"{}", headers=headers), 400)
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert "unpacks to more than" in error_of(api.post(INFER, content=bomb, headers=headers), 413)
    refusal = api.post(INFER, content=packed, headers={"Content-Encoding": "br"})
    assert "gzip or deflate" in error_of(refusal, 415)
    assert refusal.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "0x10", "+5", "1.0", "9" * 40, "٣"])
def test_a_length_that_is_no_number_is_refused(address: str, length: str) -> None:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", INFER)
    connection.putheader("Content-Length", "2")
    connection.putheader(LENGTH, length.encode())
    connection.endheaders(b"{}")
    response = connection.getresponse()
    assert (response.status, "length of the JSON" in json.loads(response.read())["error"]) == (400, True)
    connection.close()


def test_a_length_beyond_the_body_is_refused(api: httpx2.Client) -> None:
    assert "but the body has 2 bytes" in error_of(api.post(INFER, content=b"{}", headers={LENGTH: "3"}), 400)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON"),
        (b"glyphs", "Invalid JSON"),
        (b'{"inputs": [', "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 10_000, "Invalid JSON"),
        (b"[" * 10_000_000, "more than 256 glyphs"),
        (b"{}", "inputs: Field required"),
        (b"[]", "an object"),
        (b'{"inputs": []}', "inputs: "),
        (b'{"inputs": [{"name": "glyphs", "shape": [-1, 28, 28], "datatype": "UINT8", "data": []}]}', "shape.0: "),
        (b'{"inputs": [{"name": "glyphs", "shape": [1, 28, 28], "datatype": "UINT8", "data": [0]}]}', "has 784"),
    ],
)
def test_what_is_no_request_is_refused(api: httpx2.Client, content: bytes, message: str) -> None:
    assert message in error_of(api.post(INFER, content=content), 400)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v2/nothing", 404, "nothing at this path"),
        ("GET", "/v2/models", 404, "nothing at this path"),
        ("GET", "/v2/models/tesseract", 404, "this server has balanced, reference"),
        ("GET", "/v2/models/%2e%2e%2fbalanced/ready", 404, "nothing at this path"),
        ("POST", "/v2/models/tesseract/infer", 404, "this server has balanced, reference"),
        ("GET", "/v2/models/balanced/versions/0/ready", 404, "no such version"),
        ("POST", "/v2/models/balanced/versions/0/infer", 404, "no such version"),
        ("GET", "/v2/models/balanced/stats", 404, "/metrics"),
        ("GET", "/v2/systemsharedmemory/status", 404, "shares no memory"),
        ("POST", "/v2/repository/models/balanced/load", 404, "PENREAD_BUNDLE"),
        ("GET", INFER, 405, "This path takes POST"),
        ("DELETE", "/v2/models/balanced", 405, "This path takes GET"),
        ("POST", "/v2", 405, "This path takes GET"),
        ("GET", "/v2/repository/index", 405, "This path takes POST"),
    ],
)
def test_other_paths_and_methods_are_refused(
    api: httpx2.Client, method: str, path: str, status: int, message: str
) -> None:
    assert message in error_of(api.request(method, path), status)


def test_health_is_told_in_both_words(api: httpx2.Client) -> None:
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert api.get(path).json() == {"live": True, "ready": True}


def test_what_is_read_is_counted(api: httpx2.Client, glyphs: NDArray[np.uint8]) -> None:
    def counted() -> float:
        lines = api.get("/metrics").text.splitlines()
        counts = [line for line in lines if re.match(r'penread_predictions_total\{.*model="reference"', line)]
        return sum(float(line.rpartition(" ")[2]) for line in counts)

    before = counted()
    outputs_of(api.post("/v2/models/reference/infer", json=body_of(glyphs)))
    assert counted() - before == len(glyphs)
    # Nothing was read where what the network says was all that was wanted.
    outputs_of(api.post("/v2/models/reference/infer", json=body_of(glyphs, outputs=[{"name": "logits"}])))
    assert counted() - before == len(glyphs)


def test_the_protocol_is_described(api: httpx2.Client) -> None:
    description = api.get("/openapi.json").json()
    paths = {path: operations for path, operations in description["paths"].items() if path.startswith("/v2")}
    of_model = ["", "/config", "/ready", "/infer"]
    assert set(paths) == {
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/repository/index",
        *(f"/v2/models/{{name}}{path}" for path in of_model),
        *(f"/v2/models/{{name}}/versions/{{version}}{path}" for path in of_model),
    }

    def resolve(part: Any) -> None:
        if isinstance(part, list):
            for each in part:
                resolve(each)
        elif isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                target: Any = description
                for name in part["$ref"].removeprefix("#/").split("/"):
                    target = target[name]
            for each in part.values():
                resolve(each)

    resolve(paths)
    for path, operations in paths.items():
        for operation in operations.values():
            told = [each["name"] for each in operation.get("parameters", []) if each["in"] == "path"]
            assert told == re.findall(r"\{(\w+)\}", path)
    infer = paths["/v2/models/{name}/infer"]["post"]
    assert set(infer["responses"]) >= {"200", "400", "404", "408", "413", "415", "503"}
    assert set(infer["responses"]["200"]["content"]) == {"application/json", "application/octet-stream"}
    example = infer["requestBody"]["content"]["application/json"]["example"]
    assert list(outputs_of(api.post(INFER, json=example))) == ["char", "confidence"]


def test_without_a_key_only_health_is_told(guarded: str, glyphs: NDArray[np.uint8]) -> None:
    with httpx2.Client(base_url=guarded, timeout=30) as client:
        assert client.get("/v2/health/live").json()["live"]
        assert client.get("/v2/health/ready").json()["ready"]
        for path in ("/v2", "/v2/models/balanced", "/v2/nothing"):
            assert "key" in error_of(client.get(path), 401)
        assert "key" in error_of(client.post(INFER, json=body_of(glyphs)), 401)
        assert "key" in error_of(client.get("/v2", headers={"X-API-Key": "third"}), 401)
        assert client.get("/v2", headers=KEY).json()["name"] == "penread"
        outputs_of(client.post(INFER, json=body_of(glyphs), headers={"Authorization": "Bearer first"}))


def test_a_large_body_is_refused(guarded: str) -> None:
    with httpx2.Client(base_url=guarded, timeout=30, headers=KEY) as client:
        assert "300,000 bytes" in error_of(client.post(INFER, content=bytes(300_001)), 413)
        assert "300,000 bytes" in error_of(client.post(INFER, content=iter([bytes(200_000)] * 2)), 413)


def test_what_finds_no_room_is_told_when_to_come_again(guarded: str, glyphs: NDArray[np.uint8]) -> None:
    """Many large requests at a time, and room for one to wait."""
    many = np.tile(glyphs, (16, 1, 1)).tobytes()

    def read(_: int) -> httpx2.Response:
        return httpx2.post(guarded + INFER, content=many, headers={**KEY, LENGTH: "0"}, timeout=60)

    count = 22 + 2 * (os.cpu_count() or 1)
    with ThreadPoolExecutor(count) as pool:
        responses = list(pool.map(read, range(count)))
    refused = [each for each in responses if each.status_code != 200]
    assert 0 < len(refused) < len(responses)
    for each in refused:
        assert re.search("waiting|being sent", error_of(each, 503))
        assert int(each.headers["retry-after"]) >= 1


def test_too_many_requests_of_a_client_are_refused(guarded: str) -> None:
    blank = body_of(np.zeros((1, 28, 28), np.uint8))
    with httpx2.Client(base_url=guarded, timeout=30, headers={"X-API-Key": "second"}) as client:
        # A minute may pass in between, and a new one begin.
        for _ in range(130):
            response = client.post(INFER, json=blank)
            if response.status_code != 200:
                break
    assert "Too many requests" in error_of(response, 429)
    assert int(response.headers["retry-after"]) >= 1


def test_a_server_that_stops_is_not_ready() -> None:
    with serving() as (address, process):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)

        def ask() -> tuple[int, dict[str, Any]]:
            connection.request("GET", "/v2/health/ready")
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        assert ask() == (200, {"live": True, "ready": True})
        process.send_signal(signal.SIGTERM)
        # Until it has noticed; then the connection ends with the answer.
        while (answer := ask())[0] == 200:
            pass
        connection.close()
    status, body = answer
    assert (status, body.pop("error")) == (503, "The server is stopping: send requests to another.")
    assert body == {"live": True, "ready": False}
