"""What is seen of a request that fails, that is given up, or that the server's end cuts off."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.observability.running import FAULTY, Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("faulty") / "log"
    with running(log, command=FAULTY, env={"PENREAD_LOG_FORMAT": "json"}) as server:
        yield server


def test_a_failure_is_answered_and_logged_once_with_its_place(faulty: Running) -> None:
    answer = httpx2.post(f"{faulty.address}/fails", content=b"[[5, 0]]", headers={"X-Request-ID": "failing"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "failing"
    # What every answer has.
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert faulty.line(request_id="failing", event="request")["status"] == 500

    [failed] = [line for line in faulty.lines() if "exception" in line and line["request_id"] == "failing"]
    assert failed["level"] == "error"
    assert failed["event"] == "failed"
    raised, cause = failed["exception"]
    assert (raised["type"], cause["type"]) == ("RuntimeError", "ValueError")
    assert raised["frames"][-1].endswith(" fails")
    assert "faulty.py:" in raised["frames"][-1]
    assert "no number" not in faulty.text()
    assert "[[5, 0]]" not in faulty.text()
    assert "Traceback" not in faulty.text()
    assert faulty.metric("penread_http_requests_total", route="/fails", method="POST", status="500") == 1


def test_a_failure_under_the_inference_protocol_has_its_form(faulty: Running) -> None:
    answer = httpx2.post(f"{faulty.address}/v2/fails", content=b"no number")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert answer.headers["x-request-id"]


def test_an_answer_that_breaks_off_is_a_failure(faulty: Running) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{faulty.address}/breaks-off", headers={"X-Request-ID": "breaking"})
    assert faulty.line(request_id="breaking", event="request")["status"] == 500
    assert faulty.line(request_id="breaking", event="failed")["exception"][0]["type"] == "RuntimeError"
    assert faulty.metric("penread_http_requests_total", route="/breaks-off", method="GET", status="500") == 1


def test_a_client_that_leaves_is_499(faulty: Running) -> None:
    host, port = faulty.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /takes-long?seconds=1 HTTP/1.1\r\nHost: x\r\nX-Request-ID: leaving\r\n\r\n")
        # What is logged within a request has its id.
        assert faulty.line(request_id="leaving", event="begun")
    assert faulty.line(request_id="leaving", event="request")["status"] == 499
    assert faulty.metric("penread_http_requests_total", route="/takes-long", method="GET", status="499") == 1


def test_a_client_that_leaves_with_half_a_body_is_499(faulty: Running) -> None:
    host, port = faulty.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: half\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b'Content-Length: 100\r\n\r\n{"strokes"')
    line = faulty.line(request_id="half")
    assert line["status"] == 499
    assert line["bytes_in"] == 10
    assert not [each for each in faulty.lines() if each["event"] == "failed" and each.get("request_id") == "half"]


def test_a_request_that_outlasts_the_grace_is_told_so(tmp_path: Path) -> None:
    with (
        running(
            tmp_path / "log", command=FAULTY, env={"PENREAD_LOG_FORMAT": "json", "PENREAD_GRACE_S": "0.5"}
        ) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        asking = pool.submit(httpx2.get, f"{server.address}/takes-long?seconds=60", timeout=30)
        assert server.line(event="begun")
        assert server.stop() == 0
        answer = asking.result(30)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert server.line(event="request", route="/takes-long")["status"] == 503
    assert server.line(event="stopped")
    assert not [line for line in server.lines() if "exception" in line]
    assert "Traceback" not in server.text()
