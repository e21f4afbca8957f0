"""Refusals at the door: what they look like, whom they concern, and that a server under a flood stays itself."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import httptools
import httpx2
import pytest

from penread.server.app import create_app
from penread.server.door import Door
from penread.server.settings import Settings
from tests.conftest import STROKES_L, serving
from tests.load.test_queues import ask, gated, metric, png, run

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
                # As most clients say.
                answer = door.refusal(packet(path, "Connection: keep-alive", JSON, "X-Request-ID: its-name"))
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
        pytest.param(packet("/api/v1/predict", JSON, "Content-Length: 5, 5"), id="a list of lengths"),
        pytest.param(packet("/api/v1/predict", JSON + "\nTransfer-Encoding: chunked"), id="a line ends half"),
        pytest.param(packet("/api/v1/predict", JSON, " and more"), id="a folded header"),
        pytest.param(packet("/api/v1/predict", JSON, "A: \0"), id="a NUL"),
        pytest.param(packet("/api/v1/predict", JSON, "Upgrade: h2c"), id="another protocol"),
        pytest.param(packet("/api/v1/predict", JSON).replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(packet("/api/v1/predict", JSON)[:60], id="half a head"),
        pytest.param(packet("/api/v1/nothing", JSON), id="no such route"),
        pytest.param(
            packet("/api/v1/predict", JSON, body=b'{"items": [%b]}' % DRAWING), id="many, which wait elsewhere"
        ),
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


def test_a_flood_of_drawings_leaves_images_alone() -> None:
    async def scenario() -> None:
        async with gated(queue=5) as (app, client, gate):
            gate.go_on.set()
            glyphs = app.state.service.queues[0]
            while glyphs.refuse() is None:
                glyphs.enter()
            image = base64.b64encode(png(STROKES_L)).decode()
            assert (await client.post("/api/v1/predict", json={"image": image})).json()["char"] == "L"
            many = {"items": [{"strokes": STROKES_L}] * 2}
            assert len((await client.post("/api/v1/predict", json=many)).json()["predictions"]) == 2
            assert (await client.post("/api/v1/predict", json={"strokes": STROKES_L})).status_code == 503

    run(scenario)


def test_what_is_no_drawing_does_not_keep_the_queue_shut() -> None:
    async def scenario() -> None:
        async with gated(queue=5) as (app, client, gate):
            gate.go_on.set()
            door = Door(app.state.service, app.state.metrics)
            glyphs = app.state.service.queues[0]
            entered = 0
            while glyphs.refuse() is None:
                glyphs.enter()
                entered += 1
            glyphs.leave(entered)
            assert glyphs.was_full
            ends = time.monotonic() + 1.5
            while time.monotonic() < ends:
                # More than have room, of which none ever enters.
                for _ in range(4):
                    door.refusal(packet("/api/v1/predict", JSON, body=b"{}"))
                await asyncio.sleep(0.01)
            assert not glyphs.was_full
            assert (await client.post("/api/v1/predict", json={"strokes": STROKES_L})).status_code == 200

    run(scenario)


@pytest.mark.parametrize("setting", [{"api_keys": "a-key"}, {"rate_limit": "5/second"}, {"cors_origins": "*"}])
def test_there_is_none_where_not_all_are_the_same(setting: dict[str, Any]) -> None:
    """Those without a key, or beyond their rate, must not take the places of others."""

    async def scenario() -> None:
        app = create_app(Settings(**setting))
        async with app.router.lifespan_context(app) as state:
            assert state is not None
            assert state["door"] is None
        app = create_app(Settings())
        async with app.router.lifespan_context(app) as state:
            assert state is not None
            assert isinstance(state["door"], Door)

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
            assert [each is None for each in coming] == [True] + [False] * 9
            # None of them has entered: in the next turn there is room again.
            await asyncio.sleep(0)
            assert door.refusal(packet("/api/v1/predict", JSON)) is None

    run(scenario)


def test_a_flood_is_answered_on_connections_that_stay() -> None:
    answers: list[tuple[int, dict[str, str], bytes]] = []

    async def ask_often(address: str, number: int) -> None:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for turn in range(10):
            name = f"{number}-{turn}"
            writer.write(packet("/api/v1/predict", JSON, f"X-Request-ID: {name}"))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            answer = parsed(head + await reader.readexactly(length))
            assert answer[1]["x-request-id"] == name
            answers.append(answer)
        writer.close()

    with serving(env={"PENREAD_QUEUE": "4", "PENREAD_LOG_LEVEL": "warning"}) as (address, process):

        async def scenario() -> None:
            await asyncio.gather(*(ask_often(address, number) for number in range(100)))

        run(scenario)
        good = [json.loads(body)["char"] for status, _, body in answers if status == 200]
        refused = [headers["content-type"] for status, headers, _ in answers if status == 503]
        assert len(good) + len(refused) == 1000
        assert refused, "a thousand requests of a hundred clients all found room in a queue of four"
        assert set(good) == {"L"}
        assert set(refused) == {"application/problem+json"}
        counted = httpx2.get(f"{address}/metrics").text
        # Most of them at the door, which takes no time that would be told.
        timed = 'penread_http_request_duration_seconds_count{route="/api/v1/predict"} '
        assert float(counted.partition(timed)[2].split()[0]) < len(good) + len(refused) / 2
        route = 'penread_http_requests_total{method="POST",route="/api/v1/predict",status='
        assert f'{route}"503"}} {float(len(refused))}' in counted
        assert f'{route}"200"}} {float(len(good))}' in counted
        assert process.poll() is None
