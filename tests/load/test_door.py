"""Refusals at the door: what they look like, whom they concern, and that a server under a flood stays itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httptools
import httpx2
import pytest

from penread.server.door import Door
from tests.conftest import STROKES_L, serving
from tests.load.test_queues import ask, gated, metric, run

if TYPE_CHECKING:
    from penread.server.service import Service

DRAWING = json.dumps({"strokes": STROKES_L}).encode()
IMAGE = b'{"image": "AAAA"}'
JSON = "Content-Type: application/json"


def packet(path: str, *headers: str, body: bytes = DRAWING, length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: penread.test", f"Content-Length: {length or len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Reads an answer as a client does: its status, its headers, its body."""
    headers: dict[str, str] = {}
    bodies: list[bytes] = []
    complete: list[bool] = []

    class Handler:
        def on_header(self, name: bytes, value: bytes) -> None:
            headers[name.decode().lower()] = value.decode()

        def on_body(self, body: bytes) -> None:
            bodies.append(body)

        def on_message_complete(self) -> None:
            complete.append(True)

    parser = httptools.HttpResponseParser(Handler())
    parser.feed_data(answer)
    assert complete == [True]
    return parser.get_status_code(), headers, b"".join(bodies)


def full_queues(service: Service) -> None:
    """Makes every queue one that was full a moment ago."""
    for queue in service.queues:
        while queue.refuse() is None:
            queue.enter()


def test_it_says_what_the_application_says() -> None:
    async def scenario() -> None:
        async with gated(queue=5) as (app, client, _):
            door = Door(app.state.service, app.state.metrics)
            full_queues(app.state.service)
            for path in ("/api/v1/predict", "/api/v1/read", "/api/v1/explain"):
                answer = door.refusal(packet(path, JSON, "X-Request-ID: its-name"))
                assert answer is not None, path
                status, headers, body = parsed(answer)
                theirs = await client.post(path, json={"strokes": STROKES_L}, headers={"X-Request-ID": "its-name"})
                assert status == theirs.status_code == 503
                assert headers == dict(theirs.headers)
                assert body == theirs.content
            one, another = (parsed(door.refusal(packet("/api/v1/read")) or b"")[1]["x-request-id"] for _ in range(2))
            assert one != another
            asked = 'penread_http_requests_total{method="POST",route="/api/v1/read",status="503"}'
            assert await metric(client, asked) == 4

    run(scenario)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(packet("/api/v1/predict", JSON, length=len(DRAWING) + 1), id="more is to come"),
        pytest.param(packet("/api/v1/predict", JSON) * 2, id="two requests"),
        pytest.param(packet("/api/v1/predict", JSON, "Content-Length: 3"), id="two lengths"),
        pytest.param(packet("/api/v1/predict", JSON, "Transfer-Encoding: chunked"), id="in chunks"),
        pytest.param(packet("/api/v1/predict", JSON, "Connection: close"), id="the last of its connection"),
        pytest.param(packet("/api/v1/predict", JSON, "Expect: 100-continue"), id="asks before it sends"),
        pytest.param(packet("/api/v1/predict", JSON, "Upgrade: h2c"), id="another protocol"),
        pytest.param(packet("/api/v1/predict", JSON).replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(packet("/api/v1/predict", JSON)[:60], id="half a head"),
        pytest.param(packet("/api/v1/nothing", JSON), id="no such route"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", id="health"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_it_does_not_know_goes_the_usual_way(content: bytes) -> None:
    async def scenario() -> None:
        async with gated(queue=5) as (app, _, _):
            door = Door(app.state.service, app.state.metrics)
            full_queues(app.state.service)
            assert door.refusal(packet("/api/v1/predict", JSON)) is not None
            assert door.refusal(content) is None

    run(scenario)


def test_only_the_queue_that_is_full_is_closed() -> None:
    async def scenario() -> None:
        async with gated(queue=5) as (app, client, gate):
            service = app.state.service
            door = Door(service, app.state.metrics)
            assert door.refusal(packet("/api/v1/predict", JSON)) is None
            while service.images.queue.refuse() is None:
                service.images.queue.enter()
            refused = (
                packet("/api/v1/predict", JSON, body=IMAGE),
                packet("/api/v1/predict", "Content-Type: multipart/a"),
            )
            for each in refused:
                assert door.refusal(each) is not None
            for path in ("/api/v1/predict", "/api/v1/read", "/api/v1/explain"):
                assert door.refusal(packet(path, JSON)) is None
            answers: list[httpx2.Response] = []
            gate.go_on.set()
            await ask(client, answers, strokes=STROKES_L)
            assert answers[0].status_code == 200

    run(scenario)


def test_who_comes_in_the_same_moment_finds_the_place_taken() -> None:
    """All that came in one turn of the event loop is looked at before any of it is begun."""

    async def scenario() -> None:
        async with gated(queue=20) as (app, client, gate):
            door = Door(app.state.service, app.state.metrics)
            answers: list[httpx2.Response] = []
            gate.go_on.set()
            await ask(client, answers, strokes=STROKES_L)
            queue = app.state.service.queues[0]
            queue.enter(100)
            assert queue.refuse() is not None
            queue.leave(100)
            coming = [door.refusal(packet("/api/v1/predict", JSON)) for _ in range(10)]
            assert [each is None for each in coming] == [True] * 2 + [False] * 8
            # None of them has entered: in the next turn there is room again.
            await asyncio.sleep(0)
            assert door.refusal(packet("/api/v1/predict", JSON)) is None

    run(scenario)


def test_a_flood_is_answered_on_connections_that_stay() -> None:
    async def flood(address: str) -> list[httpx2.Response]:
        answers: list[httpx2.Response] = []
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
        async with httpx2.AsyncClient(base_url=address, limits=limits, timeout=60) as client:

            async def one(number: int) -> None:
                for turn in range(10):
                    name = f"{number}-{turn}"
                    headers = {"Content-Type": "application/json", "X-Request-ID": name}
                    answer = await client.post("/api/v1/predict", content=DRAWING, headers=headers)
                    assert answer.headers["x-request-id"] == name
                    answers.append(answer)

            await asyncio.gather(*(one(number) for number in range(100)))
        return answers

    with serving(env={"PENREAD_QUEUE": "4", "PENREAD_LOG_LEVEL": "warning"}) as (address, process):
        answers: list[Any] = []

        async def scenario() -> None:
            answers.extend(await flood(address))

        run(scenario)
        good = [each for each in answers if each.status_code == 200]
        refused = [each for each in answers if each.status_code == 503]
        assert len(good) + len(refused) == 1000
        assert good
        assert refused, "a thousand requests of a hundred clients all found room in a queue of four"
        assert {each.json()["char"] for each in good} == {"L"}
        assert {each.headers["content-type"] for each in refused} == {"application/problem+json"}
        counted = httpx2.get(f"{address}/metrics").text
        route = 'penread_http_requests_total{method="POST",route="/api/v1/predict",status='
        assert f'{route}"503"}} {float(len(refused))}' in counted
        assert f'{route}"200"}} {float(len(good))}' in counted
        assert process.poll() is None
