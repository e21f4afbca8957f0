"""What is in the log, and above all what isn't."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import penread
from penread import Ink
from tests.conftest import STROKES_L
from tests.observability.running import Running, eventually, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEY = "canary-key-2718"
_FIELDS = {
    "timestamp", "level", "event", "method", "route", "path", "status", "duration_ms", "client", "bytes_in",
    "bytes_out", "request_id", "pid",
}  # fmt: skip
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def as_json(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Logs as much as it can."""
    log = tmp_path_factory.mktemp("json") / "log"
    env = {"PENREAD_LOG_FORMAT": "json", "PENREAD_LOG_LEVEL": "debug", "PENREAD_API_KEYS": _KEY}
    with running(log, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def as_text(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("text") / "log"
    with running(log, env={"PENREAD_METRICS": "false"}) as server:
        yield server


@pytest.fixture(params=["as_json", "as_text"])
def either(request: pytest.FixtureRequest) -> Running:
    server: Running = request.getfixturevalue(request.param)
    return server


def raw(server: Running, request: bytes) -> bytes:
    """Sends bytes as they are; gives the answer's head."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        return connection.recv(65536).partition(b"\r\n\r\n")[0]


def test_a_request_is_a_line(as_json: Running) -> None:
    body = json.dumps({"strokes": STROKES_L})
    answer = httpx2.post(
        f"{as_json.address}/api/v1/predict",
        content=body,
        headers={"Content-Type": "application/json", "X-API-Key": _KEY, "X-Request-ID": "a-line"},
    )
    line = as_json.line(request_id="a-line")
    assert set(line) == _FIELDS
    assert _TIMESTAMP.fullmatch(line["timestamp"])
    assert line["pid"] == as_json.process.pid
    assert 0 < line["duration_ms"] < 30_000
    expected = {
        "level": "info", "event": "request", "method": "POST", "route": "/api/v1/predict", "path": "/api/v1/predict",
        "status": 200, "client": "127.0.0.1", "bytes_in": len(body), "bytes_out": len(answer.content),
    }  # fmt: skip
    assert expected.items() <= line.items()


def test_lines_of_text_say_the_same(as_text: Running) -> None:
    httpx2.get(f"{as_text.address}/static/none-like-this", headers={"X-Request-ID": "as-text"})
    as_text_line = as_text_request(as_text, "as-text")
    assert _TIMESTAMP.fullmatch(as_text_line[0])
    assert as_text_line[1:3] == ["info", "request"]
    assert {name for name, _, _ in (field.partition("=") for field in as_text_line[3:])} == _FIELDS - {
        "timestamp", "level", "event",
    }  # fmt: skip
    assert {"method=GET", "route=/static/{path:path}", "status=404", "client=127.0.0.1"} < set(as_text_line)


def as_text_request(server: Running, request_id: str) -> list[str]:
    """The words of a request's line in a log in text."""

    def find() -> list[str] | None:
        found = [line for line in server.text().splitlines() if f" request_id={request_id} " in line]
        assert len(found) <= 1
        return shlex.split(found[0]) if found else None

    return eventually(find)


def test_the_start_and_the_end_are_told_without_secrets(tmp_path: Path) -> None:
    env = {"PENREAD_LOG_FORMAT": "json", "PENREAD_API_KEYS": f"{_KEY},second-key", "PENREAD_RATE_LIMIT": "9/second"}
    with running(tmp_path / "log", env=env) as server:
        pass
    started = server.line(event="started")
    assert started["version"] == penread.__version__
    assert set(started["models"]) == {"balanced"}
    assert started["api_keys"] == 2
    assert started["rate_limit"] == "9/second"
    assert server.address.endswith(f":{started['port']}")
    assert server.line(event="stopped")["version"] == penread.__version__
    assert _KEY not in server.text()
    assert "second-key" not in server.text()


def test_a_password_of_the_storage_is_not_told() -> None:
    code = (
        "from penread.server import logs; from penread.server.settings import Settings\n"
        "logs.configure('json', 'info')\n"
        "logs.started(Settings(rate_limit_storage='redis://me:canary@host:6379/0?password=canary'), {})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert json.loads(said)["rate_limit_storage"] == "redis://host:6379/0"


def test_probes_are_only_told_where_everything_is(as_json: Running, as_text: Running) -> None:
    for server in (as_json, as_text):
        httpx2.get(f"{server.address}/healthz", headers={"X-Request-ID": "probing"})
        httpx2.get(f"{server.address}/docs", headers={"X-Request-ID": "reading"})
    assert as_json.line(request_id="probing")["level"] == "debug"
    assert as_json.line(request_id="reading")["level"] == "info"
    assert as_text_request(as_text, "reading")
    assert "request_id=probing" not in as_text.text()


def test_nothing_that_was_sent_is_logged(as_json: Running) -> None:
    """Neither where it is right nor where it is wrong, at the level that tells most."""
    drawing = [[[48151.623, 42.108], [48151.623, 15.973], [48199.5, 15.973]]]
    said = PngInfo()
    said.add_text("Comment", "canary-picture")
    picture = io.BytesIO()
    Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((90, 90)).save(picture, "PNG", pnginfo=said)
    encoded = base64.b64encode(picture.getvalue()).decode()
    headers = {"Authorization": f"Bearer {_KEY}", "Cookie": "session=canary-cookie", "User-Agent": "canary-agent"}
    with httpx2.Client(base_url=as_json.address, headers=headers, timeout=30) as client:
        statuses = [
            client.post("/api/v1/predict?token=canary-query", json=body).status_code
            for body in (
                {"strokes": drawing},
                {"image": encoded},
                {"image": "data:image/png;base64,canarybase64"},
                {"strokes": drawing, "charset": "canary-charset"},
                {"strokes": drawing, "canary-field": 1},
                {"strokes": [[["canary-point", 0]]]},
                ["canary-list"],
            )
        ]
        assert statuses == [200, 200, 422, 422, 422, 422, 422]
        for path in ("predict", "read", "explain"):
            for content in (picture.getvalue(), picture.getvalue()[:-20], b"canary-bytes"):
                client.post(
                    f"/api/v1/{path}", files={"image": ("canary-name.png", content)}, data={"charset": "canary-form"}
                )
        client.post("/api/v1/predict", content=b'{"strokes": canary-json', headers={"Content-Type": "application/json"})
        client.post("/api/v1/predict", content=b"--x\r\ncanary-form", headers={"Content-Type": "multipart/form-data"})
        wrong = client.post("/api/v1/predict", json={}, headers={"Authorization": "Bearer canary-wrong"})
        assert wrong.status_code == 401
        client.get("/healthz", headers={"X-Request-ID": "last"})
    assert as_json.line(request_id="last")
    assert "/api/v1/explain" in as_json.text()
    assert "canary" not in as_json.text()
    assert encoded[40:80] not in as_json.text()
    for number in ("48151", "15.973", "48199"):
        assert number not in as_json.text()


def test_no_line_can_be_made_to_look_like_two(either: Running) -> None:
    forged = "2026-01-01T00:00:00.000000Z error   forged"
    paths = (
        f"/%0a{forged.replace(' ', '%20')}",
        "/%0d%0a%1b[2J%1b[31mred",
        "/%c2%9b31m/%e2%80%a8/%e2%80%ae/%ff/%00",
        '/"%20status=200%20x="',
        "/" + "x" * 5000,
    )
    before = len(either.text().splitlines())
    for number, path in enumerate(paths):
        head = raw(either, f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: path{number}\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 404"), path
    # A proxy that is trusted says who asks, in whatever words.
    raw(either, b'GET /forwarded HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: me" status=200 \xc2\x9b\tx\r\n\r\n')
    raw(either, b"GET /end HTTP/1.1\r\nHost: x\r\nX-Request-ID: the-end\r\n\r\n")
    eventually(lambda: "the-end" in either.text())
    text = either.text()
    assert len(text.splitlines()) == before + len(paths) + 2
    assert "\n" + forged not in text
    assert all(line.isascii() and line.isprintable() for line in text.split("\n"))
    assert max(map(len, text.splitlines())) < 2000
    if text.startswith("{"):
        assert {line["status"] for line in either.lines() if line.get("request_id", "").startswith("path")} == {404}
    else:
        for number in range(len(paths)):
            assert [word for word in as_text_request(either, f"path{number}") if word.startswith("status=")] == [
                "status=404"
            ]


@pytest.mark.parametrize("given", ["a", "A-Z.0_9", "0123456789" * 12, "550e8400-e29b-41d4-a716-446655440000"])
def test_a_fit_request_id_comes_back(as_json: Running, given: str) -> None:
    answer = httpx2.get(f"{as_json.address}/none", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert as_json.line(request_id=given)["status"] == 404


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"a\tb", b"\xc3\xa4", b'"', b"a;b", b"\x1b[31m", b"a\x00b"])
def test_an_unfit_one_does_not(as_json: Running, given: bytes) -> None:
    head = raw(as_json, b"GET /none HTTP/1.1\r\nHost: x\r\nX-Request-ID: " + given + b"\r\n\r\n")
    found = re.search(rb"x-request-id: (\S+)", head)
    if found is None:
        # Refused before it was a request.
        assert head.startswith(b"HTTP/1.1 400")
    else:
        assert re.fullmatch(rb"[0-9a-f]{32}", found[1])
        assert as_json.line(request_id=found[1].decode())["status"] == 404


def test_every_answer_has_an_id_and_no_two_the_same(as_json: Running) -> None:
    def ask(path: str) -> str:
        return httpx2.get(f"{as_json.address}{path}", timeout=30).headers["x-request-id"]

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ask, ["/", "/none", "/api/v1/predict", "/healthz", "/metrics", "/static/none"] * 10))
    assert len(set(given)) == 60
    for request_id in given:
        assert as_json.line(request_id=request_id)


def test_metrics_can_be_left_out(as_text: Running) -> None:
    assert httpx2.get(f"{as_text.address}/metrics").status_code == 404


def test_metrics_and_health_want_no_key_and_count_who_has_none(as_json: Running) -> None:
    before = as_json.metric("penread_rejections_total", reason="key")
    labels = {"route": "/api/v1/read", "method": "POST", "status": "401"}
    requests = as_json.metric("penread_http_requests_total", **labels)
    answer = httpx2.post(f"{as_json.address}/api/v1/read", json={"strokes": []})
    assert answer.status_code == 401
    assert as_json.metric("penread_rejections_total", reason="key") == before + 1
    # It was refused before it came to its route, and counts there all the same.
    assert as_json.metric("penread_http_requests_total", **labels) == requests + 1
    assert httpx2.get(f"{as_json.address}/healthz").status_code == 200
