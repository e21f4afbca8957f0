"""What /metrics says after requests whose number is known."""

from __future__ import annotations

import io
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from PIL import Image
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families

from penread import Ink
from tests.conftest import STROKES_L
from tests.observability.running import Running, eventually, running, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUESTS = "penread_http_requests_total"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("metrics") / "log"
    with running(log, env={"PENREAD_BUNDLE": "balanced,reference", "PENREAD_MAX_BODY_BYTES": "65536"}) as server:
        yield server


def predict(server: Running, strokes: Any, **headers: str) -> httpx2.Response:
    return httpx2.post(f"{server.address}/api/v1/predict", json={"strokes": strokes}, headers=headers, timeout=30)


def change(server: Running, before: dict[Any, float], name: str, **labels: str) -> float:
    """What was added to a sample."""
    key = (name, frozenset(labels.items()))
    return server.metrics().get(key, 0.0) - before.get(key, 0.0)


def test_every_request_counts_once(server: Running) -> None:
    before = server.metrics()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predict(server, STROKES_L), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert predict(server, []).json()["rejected"] == "blank"
    assert predict(server, "no strokes").status_code == 422
    assert httpx2.get(f"{server.address}/api/v1/predict").status_code == 405

    route = "/api/v1/predict"
    assert change(server, before, _REQUESTS, route=route, method="POST", status="200") == 21
    assert change(server, before, _REQUESTS, route=route, method="POST", status="422") == 1
    assert change(server, before, _REQUESTS, route=route, method="GET", status="405") == 1
    assert change(server, before, "penread_http_request_duration_seconds_count", route=route) == 23
    assert change(server, before, "penread_http_request_duration_seconds_bucket", route=route, le="+Inf") == 23
    assert change(server, before, "penread_http_request_duration_seconds_sum", route=route) > 0
    assert change(server, before, "penread_predictions_total", model="balanced", char="L") == 20
    assert change(server, before, "penread_predictions_total", model="balanced", char="rejected") == 1


def test_every_character_of_a_page_and_of_a_list_counts(server: Running) -> None:
    before = server.metrics()
    beside = [[[x + 60, y] for x, y in stroke] for stroke in STROKES_L]
    page = httpx2.post(f"{server.address}/api/v1/read", json={"strokes": STROKES_L + beside}, timeout=30).json()
    assert len(page["lines"][0]["characters"]) == 2
    items = [{"strokes": STROKES_L}, {"strokes": []}, {"strokes": STROKES_L}]
    many = httpx2.post(f"{server.address}/api/v1/predict", json={"items": items}, timeout=30).json()
    assert [each["char"] for each in many["predictions"]] == ["L", None, "L"]
    assert change(server, before, "penread_predictions_total", model="balanced", char="L") == 4
    assert change(server, before, "penread_predictions_total", model="balanced", char="rejected") == 1


def test_runs_of_the_network_count_their_glyphs(server: Running) -> None:
    before = server.metrics()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: predict(server, STROKES_L), range(40)))
    assert change(server, before, "penread_batch_glyphs_sum") == 40
    assert 1 <= change(server, before, "penread_batch_glyphs_count") <= 40


def test_queues_are_empty_once_all_is_answered(server: Running) -> None:
    picture = io.BytesIO()
    Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((200, 200)).save(picture, "PNG")
    for path in ("predict", "read"):
        answer = httpx2.post(f"{server.address}/api/v1/{path}", files={"image": picture.getvalue()}, timeout=30)
        assert answer.status_code == 200

    def empty() -> bool:
        found = {key: value for key, value in server.metrics().items() if key[0].startswith("penread_queue_")}
        lanes = {dict(labels)["lane"] for _, labels in found}
        return {"images", "pages"} < lanes and len(found) == 2 * len(lanes) and not any(found.values())

    assert eventually(empty)


def test_a_body_that_is_too_large_is_a_rejection(server: Running) -> None:
    before = server.metrics()
    answer = httpx2.post(f"{server.address}/api/v1/predict", files={"image": b"x" * 100_000}, timeout=30)
    assert answer.status_code == 413
    assert change(server, before, "penread_rejections_total", reason="body") == 1


def test_reasons_are_there_before_anything_was_rejected(server: Running) -> None:
    reasons = {dict(labels)["reason"] for name, labels in server.metrics() if name == "penread_rejections_total"}
    assert reasons == {"queue", "rate", "key", "connections", "body", "timeout"}


def test_strangers_cannot_multiply_labels(server: Running) -> None:
    before = server.metrics()
    host, port = server.address.removeprefix("http://").split(":")
    for number in range(30):
        assert httpx2.get(f"{server.address}/nothing/{number}").status_code == 404
    assert change(server, before, _REQUESTS, route="(none)", method="GET", status="404") == 30
    for path in ("/static/none-like-this", "/static/none%0alike-this", "/v2/models/none-like-this"):
        assert httpx2.get(f"{server.address}{path}").status_code == 404
    # What httptools knows as a method, and we don't.
    for method in ("PROPFIND", "MKCOL"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 405")
    new = {key for key in server.metrics().keys() - before.keys() if key[0] == _REQUESTS}
    labels = {frozenset(labels) for _, labels in new}
    assert change(server, before, _REQUESTS, route="/static/{path:path}", method="GET", status="404") == 1
    assert change(server, before, _REQUESTS, route="/", method="other", status="405") == 2
    assert len(labels) <= 5
    assert not any("nothing" in value or "none-like" in value for each in labels for _, value in each)


def test_models_are_told_apart(server: Running) -> None:
    models = {dict(labels)["name"] for name, labels in server.metrics() if name == "penread_model_info"}
    assert models == {"balanced", "reference"}


def test_prometheus_gets_the_format_that_it_asks_for(server: Running) -> None:
    plain = httpx2.get(f"{server.address}/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    asked = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"
    answer = httpx2.get(f"{server.address}/metrics", headers={"Accept": asked})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in open_metrics_families(answer.text)}  # type: ignore[no-untyped-call]
    assert {"penread_http_requests", "penread_queue_waiting", "process_resident_memory_bytes"} < names
    # A version that is none is no reason to fail.
    strange = httpx2.get(f"{server.address}/metrics", headers={"Accept": "application/openmetrics-text;version=x"})
    assert strange.status_code == 200
    assert samples(strange.text)
    assert httpx2.head(f"{server.address}/metrics").status_code == 200
    assert "/metrics" not in httpx2.get(f"{server.address}/openapi.json").json()["paths"]


def test_the_process_is_measured(server: Running) -> None:
    assert server.metric("process_resident_memory_bytes", worker="0") > 50e6
    assert server.metric("process_cpu_seconds_total", worker="0") > 0.1
    assert server.metric("process_open_fds", worker="0") > 3
