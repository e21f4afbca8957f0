"""The HTTP API, on a real server over real sockets."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from penread import Ink, Recognizer
from penread.server.limits import MAX_ITEMS, MAX_POINTS, MAX_STROKES
from penread.server.settings import MAX_BODY_BYTES
from tests.conftest import PENREAD, STROKES_L, serving
from tests.recognizer.test_recognizer import folded

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG_L = io.BytesIO()
Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((200, 200), Image.Resampling.BICUBIC).save(PNG_L, "PNG")
IMAGE_L = PNG_L.getvalue()


@pytest.fixture(scope="module")
def api(server: str):
    with httpx2.Client(base_url=server, timeout=30) as client:
        yield client


def predict(api: httpx2.Client, **body: Any) -> httpx2.Response:
    return api.post("/api/v1/predict", json=body)


def problem(response: httpx2.Response, status: int) -> str:
    """Checks that a response is a problem (RFC 9457) of the status; gives its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["type"] == "about:blank"
    return str(body["detail"])


def test_strokes_are_read_as_in_python(api: httpx2.Client, recognizer: Recognizer) -> None:
    response = predict(api, strokes=STROKES_L)
    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"char", "confidence", "candidates", "rejected", "reason", "model"}
    prediction = recognizer.predict(Ink(STROKES_L))
    assert answer["char"] == prediction.char == "L"
    assert answer["confidence"] == pytest.approx(prediction.confidence)
    assert answer["rejected"] is answer["reason"] is None
    assert answer["model"] == {"name": recognizer.info.name, "version": recognizer.info.version}
    assert answer["candidates"] == [
        {"char": each.char, "confidence": pytest.approx(each.confidence)} for each in prediction.candidates
    ]


def test_real_drawings_are_read(api: httpx2.Client, drawings: list[dict[str, Any]]) -> None:
    """Every drawing at hand through the API: at least 89 % exactly right."""

    def right(drawing: dict[str, Any]) -> bool:
        answer = predict(api, strokes=drawing["strokes"], top_k=1).json()
        return bool(answer["char"] == folded(drawing["label"]))

    with ThreadPoolExecutor(4) as pool:
        accuracy = np.mean(list(pool.map(right, drawings)))
    print(f"\n{len(drawings)} drawings by {drawings[0]['writer']} and others: {accuracy:.2%} right")
    assert accuracy >= 0.89


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:;base64,"])
def test_base64_images_are_read(api: httpx2.Client, prefix: str) -> None:
    answer = predict(api, image=prefix + base64.b64encode(IMAGE_L).decode()).json()
    assert answer["char"] == "L"


def test_a_file_is_read(api: httpx2.Client) -> None:
    response = api.post(
        "/api/v1/predict",
        files={"image": ("l.png", IMAGE_L, "image/png")},
        data={"top_k": "2", "charset": "lower", "include_glyph": "true"},
    )
    answer = response.json()
    assert (answer["char"], len(answer["candidates"])) == ("l", 2)
    assert answer["glyph"].startswith("data:image/png;base64,")


def test_options(api: httpx2.Client) -> None:
    assert len(predict(api, strokes=STROKES_L, top_k=100).json()["candidates"]) == 47
    digits = predict(api, strokes=STROKES_L, charset="digits", top_k=10).json()["candidates"]
    assert {each["char"] for each in digits} == set("0123456789")


def test_the_glyph_is_what_the_model_saw(api: httpx2.Client) -> None:
    url = predict(api, strokes=STROKES_L, include_glyph=True).json()["glyph"]
    with Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), Ink(STROKES_L).glyph())


@pytest.mark.parametrize("strokes", [[], [[]], [[], []]])
def test_a_blank_is_rejected(api: httpx2.Client, strokes: list[Any]) -> None:
    answer = predict(api, strokes=strokes, include_glyph=True).json()
    assert (answer["char"], answer["confidence"], answer["candidates"], answer["rejected"]) == (None, 0, [], "blank")
    assert answer["reason"] == "empty"
    assert answer["glyph"].startswith("data:image/png")


LT = [*STROKES_L, [[60, 0], [90, 0]], [[75, 0], [75, 40]]]


def test_what_is_unclear_is_rejected_with_a_reason_or_not_as_asked(api: httpx2.Client) -> None:
    answer = predict(api, strokes=LT).json()
    assert (answer["char"], answer["rejected"], answer["reason"]) == (None, "unclear", "several")
    assert len(answer["candidates"]) == 5
    assert predict(api, strokes=LT, unclear_above=1).json()["rejected"] is None
    assert predict(api, strokes=STROKES_L, unclear_above=0).json()["reason"] in {"several", "unknown"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "give either strokes or image or items"),
        ({"strokes": [], "image": ""}, "give either strokes or image or items"),
        ({"strokes": "L"}, "strokes: .*array"),
        ({"strokes": [[[0]]]}, "strokes.0.0: .*at least 2"),
        ({"strokes": [[[0, 0, 0]]]}, "strokes.0.0: .*at most 2"),
        ({"strokes": [[[0, "x"]]]}, r"strokes.0.0.1: .*number"),
        ({"strokes": [[[0, None]]]}, r"strokes.0.0.1: .*number"),
        ({"strokes": [[[0, 1e7]]]}, "less than or equal to 1000000"),
        ({"strokes": [[[0, -1e300]]]}, "greater than or equal to -1000000"),
        ({"strokes": [[[0, 0]]] * (MAX_STROKES + 1)}, "at most 1000 items"),
        ({"strokes": [[[0, 0]] * (MAX_POINTS // 2 + 1)] * 2}, "20,002 points; 20,000 is the most"),
        ({"strokes": [[[0, 0]] * 50_000]}, "More than 20,000 points"),
        ({"strokes": [[["a", "a"]] * 15] * 900}, "strokes.0.0.0: .*number"),
        ({f"field{number}": 0 for number in range(5000)}, "5,001 errors|5,000 errors"),
        ({"strokes": STROKES_L, "top_k": 0}, "top_k: .*greater than or equal to 1"),
        ({"strokes": STROKES_L, "unclear_above": 1.5}, "unclear_above: .*less than or equal to 1"),
        ({"strokes": STROKES_L, "unclear_above": -1}, "unclear_above: .*greater than or equal to 0"),
        ({"strokes": STROKES_L, "charset": ["digits"]}, "charset: .*string"),
        ({"strokes": STROKES_L, "charset": "é"}, "no class for 'é'"),
        ({"strokes": STROKES_L, "charset": ""}, "empty charset"),
        ({"strokes": STROKES_L, "colour": 1}, "colour: there is no such field"),
        ({"image": "!"}, "image is not base64"),
        ({"image": "data:text/html,<b>"}, "image is not base64"),
        ({"image": "AAAA"}, "no image that can be read"),
        ({"image": ""}, "no image that can be read"),
        ({"image": base64.b64encode(IMAGE_L[:100]).decode()}, "damaged, incomplete"),
    ],
)
def test_what_cannot_be_read_is_told(api: httpx2.Client, body: dict[str, Any], detail: str) -> None:
    assert re.search(detail, problem(predict(api, **body), 422))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"strokes": [[[NaN, 1]]]}',
        b'{"strokes": [[[1e999, 1]]]}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_json_is_told(api: httpx2.Client, content: bytes) -> None:
    problem(api.post("/api/v1/predict", content=content, headers={"content-type": "application/json"}), 422)


def test_forms_that_are_not_right_are_told(api: httpx2.Client) -> None:
    assert 'no file "image"' in problem(api.post("/api/v1/predict", files={"photo": ("a", IMAGE_L)}), 422)
    assert 'no file "image"' in problem(
        api.post("/api/v1/predict", data={"image": "text"}, files={"x": ("a", b"")}), 422
    )
    extra = api.post("/api/v1/predict", files={"image": ("a", IMAGE_L)}, data={"top": "1"})
    assert "top: there is no such field" in problem(extra, 422)
    twice = api.post("/api/v1/predict", files={"image": ("a", IMAGE_L)}, data={"top_k": ["1", "2"]})
    assert "top_k: Input should be a valid integer" in problem(twice, 422)
    too_many = [("image", ("a", b""))] * (MAX_ITEMS + 1)
    problem(api.post("/api/v1/predict", files=too_many), 400)
    two = [("image", ("a", IMAGE_L))] * 2
    problem(api.post("/api/v1/explain", files=two), 400)
    header = {"content-type": "multipart/form-data; boundary=x"}
    problem(api.post("/api/v1/predict", content=b"no form", headers=header), 400)
    problem(api.post("/api/v1/predict", content=b"", headers={"content-type": "multipart/form-data"}), 400)
    for charset in ("punycode", "undefined", "x" * 50):
        content = b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--x--\r\n'
        header = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
        problem(api.post("/api/v1/predict", content=content, headers=header), 400)


def test_other_kinds_of_body_and_other_ways_are_told(api: httpx2.Client) -> None:
    assert "send application/json" in problem(api.post("/api/v1/predict", content=b"x"), 415)
    problem(api.post("/api/v1/predict", data={"image": "x"}), 415)
    for path in ("/api/v1/predict", "/api/v1/read", "/api/v1/explain"):
        packed = gzip.compress(json.dumps({"strokes": STROKES_L}).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert "send it as it is" in problem(api.post(path, content=packed, headers=headers), 415)
    headers["Content-Encoding"] = "Identity"
    assert api.post("/api/v1/predict", content=gzip.decompress(packed), headers=headers).json()["char"] == "L"
    problem(api.get("/api/v1/predict"), 405)
    problem(api.get("/nothing"), 404)
    problem(api.get("/static/../app.py"), 404)


def test_a_body_beyond_the_bound_is_refused(api: httpx2.Client, server: str) -> None:
    too_large = b'{"image": "' + b"A" * MAX_BODY_BYTES + b'"}'
    header = {"content-type": "application/json"}
    assert "larger than" in problem(api.post("/api/v1/predict", content=too_large, headers=header), 413)

    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b"A" * 65536

    # Without a length stated, and as a form.
    assert "larger than" in problem(api.post("/api/v1/predict", content=chunks(), headers=header), 413)
    form = api.post("/api/v1/predict", files={"image": ("a", b"A" * (MAX_BODY_BYTES + 1))})
    assert "larger than" in problem(form, 413)
    assert httpx2.get(f"{server}/healthz").status_code == 200


def test_an_image_of_too_many_pixels_is_refused(api: httpx2.Client) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    detail = problem(api.post("/api/v1/predict", files={"image": ("a.png", buffer.getvalue())}), 422)
    assert "40,000,000 is the most" in detail


def test_health_page_and_documentation(api: httpx2.Client) -> None:
    assert api.get("/healthz").json()["status"] == "ok"
    page = api.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert api.head("/").status_code == api.head("/healthz").status_code == 200
    documentation = api.get("/docs").text
    for text in (page.text, documentation):
        links = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
        assert links
        for link in links:
            assert not link.startswith(("http", "//")), link
            assert link.startswith("data:") or api.get(f"/{link.lstrip('/')}").status_code == 200, link
    schema = api.get("/openapi.json").json()
    for path in ("/api/v1/predict", "/api/v1/read"):
        operation = schema["paths"][path]["post"]
        assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
        assert {"200", "400", "413", "415", "422"} <= set(operation["responses"])
        problems = operation["responses"]["422"]["content"]["application/problem+json"]
        assert set(problems["schema"]["properties"]) == {"type", "title", "status", "detail"}


def test_many_clients_at_once(api: httpx2.Client) -> None:
    def ask(number: int) -> str:
        strokes = STROKES_L if number % 2 else [[[0, 0], [60, 0], [25, 100]]]
        return str(predict(api, strokes=strokes).json()["char"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(200))) == ["7", "L"] * 100


def test_a_start_and_an_end() -> None:
    started_s = time.monotonic()
    with serving() as (address, process):
        assert predict_at(address)["char"] == "L"
        print(f"\nfrom start to first answer: {time.monotonic() - started_s:.2f} s")
        with httpx2.Client(base_url=address) as idle:
            idle.get("/healthz")  # a connection that is kept alive must not hold the end up
            asked_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        print(f"from SIGTERM to the end: {time.monotonic() - asked_s:.2f} s")
        with pytest.raises(httpx2.TransportError):
            httpx2.get(f"{address}/healthz")


def predict_at(address: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx2.post(f"{address}/api/v1/predict", json={"strokes": STROKES_L}).json()
    return answer


def test_settings_come_from_the_environment_and_options_go_first() -> None:
    env = {**os.environ, "PENREAD_BUNDLE": "nothing"}
    ended = subprocess.run([PENREAD, "serve", "--port", "0"], env=env, capture_output=True, text=True, timeout=30)
    assert 'no bundle "nothing"' in ended.stderr
    with serving("--bundle", "reference", env={"PENREAD_BUNDLE": "nothing"}) as (address, _):
        assert predict_at(address)["model"]["name"] == "reference"


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--bundle", "nothing"], 'no bundle "nothing"'), (["--port", "99999"], "port: "), (["--host", "256.1.1.1"], "")],
)
def test_a_server_that_cannot_start_says_why(options: list[str], message: str) -> None:
    ended = subprocess.run([PENREAD, "serve", *options], capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_told(server: str) -> None:
    port = server.rsplit(":", 1)[1]
    ended = subprocess.run([PENREAD, "serve", "--port", port], capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert "Address already in use. Choose others with --host and --port" in ended.stderr


def test_the_answer_is_documented_json(api: httpx2.Client) -> None:
    """The documented request example works as it stands."""
    schema = api.get("/openapi.json").json()
    request = schema["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    [example] = request["examples"]
    assert predict(api, **example).json()["char"] == "L"
    assert json.dumps(schema)
