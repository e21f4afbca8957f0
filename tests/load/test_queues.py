"""What the server does with more requests than it can serve: it gathers, it queues, and beyond that it refuses."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import weakref
from contextlib import asynccontextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import httpx2
import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from PIL import Image

from penread import Ink, Recognizer
from penread.server.app import create_app
from penread.server.lanes import ClientGone
from penread.server.service import LARGE_BYTES, MAX_BATCH
from penread.server.settings import Settings
from tests.conftest import STROKES_L
from tests.made import drawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fastapi import FastAPI

STROKES = {"L": STROKES_L, **{each["label"]: each["strokes"] for each in drawn()}}


def png(strokes: list[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(255 - Ink(strokes).glyph()).resize((100, 100), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


class Gate:
    """Stands before a method of the recogniser, which goes on when it is let."""

    def __init__(self, recognizer: Recognizer, method: str) -> None:
        self._method = getattr(recognizer, method)
        setattr(recognizer, method, self.enter)
        self.batches: list[int] = []
        self.go_on = Event()

    def enter(self, glyphs: np.ndarray, **how: Any) -> Any:
        self.batches.append(len(glyphs))
        assert self.go_on.wait(60)
        return self._method(glyphs, **how)


@asynccontextmanager
async def gated(before: str = "score", **settings: Any) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient, Gate]]:
    """Gives an application whose recogniser stands still until the gate is opened, and a client of it."""
    app = create_app(Settings(**settings))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client,
    ):
        gate = Gate(app.state.service.recognizer, before)
        try:
            yield app, client, gate
        finally:
            gate.go_on.set()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    # In a thread of its own: where a page was tested before, this one has the browser's event loop.
    with start_blocking_portal() as portal:
        portal.call(scenario)


async def ask(client: httpx2.AsyncClient, answers: list[httpx2.Response], **body: Any) -> None:
    answers.append(await client.post("/api/v1/predict", json=body))


async def metric(client: httpx2.AsyncClient, line: str) -> float:
    """Gives the value of a metric."""
    text = (await client.get("/metrics")).text
    [value] = [each.split()[-1] for each in text.splitlines() if each.startswith(line + " ")]
    return float(value)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in other threads
            await asyncio.sleep(0.01)


def test_concurrent_requests_share_runs_of_the_graph_and_get_their_own_answers() -> None:
    async def scenario() -> None:
        async with gated() as (_, client, gate):
            asked = {char: STROKES[char] for char in "LHT"}
            answers: dict[str, list[httpx2.Response]] = {char: [] for char in asked}
            async with anyio.create_task_group() as tasks:
                # The first is on its way alone; the others come while the graph runs.
                tasks.start_soon(lambda: ask(client, answers["L"], strokes=STROKES["L"]))
                await until(lambda: gate.batches == [1])
                for char, strokes in list(asked.items()) * 7:
                    tasks.start_soon(partial(ask, client, answers[char], strokes=strokes))
                await anyio.wait_all_tasks_blocked()
                assert gate.batches == [1]
                gate.go_on.set()
            assert gate.batches == [1, 4, 4, 4, 4, 4, 1]
            for char, given in answers.items():
                assert [each.json()["char"] for each in given] == [char] * (8 if char == "L" else 7)
            assert await metric(client, "penread_batch_glyphs_sum") == 22
            assert await metric(client, "penread_batch_glyphs_count") == 7

    run(scenario)


async def fill(tasks: anyio.abc.TaskGroup, client: httpx2.AsyncClient, answers: list[httpx2.Response], n: int) -> None:
    """Asks so often, and goes on when all of them wait for the gate."""
    for _ in range(n):
        tasks.start_soon(lambda: ask(client, answers, strokes=STROKES_L))
    await anyio.wait_all_tasks_blocked()
    assert not answers


def test_past_the_queue_is_503_at_once_and_all_is_normal_after_it() -> None:
    async def scenario() -> None:
        async with gated(queue=20) as (_, client, gate):
            answers: list[httpx2.Response] = []
            async with anyio.create_task_group() as tasks:
                # Some are taken for running, and 20 wait.
                await fill(tasks, client, answers, MAX_BATCH + 20)
                assert await metric(client, 'penread_queue_waiting{lane="glyphs"}') == 20
                assert await metric(client, 'penread_rejections_total{reason="queue"}') == 0
                await ask(client, answers, strokes=STROKES_L)
                refused = answers[0]
                assert refused.status_code == 503, refused.text
                assert refused.json()["detail"].startswith("Too many requests are waiting")
                assert int(refused.headers["retry-after"]) >= 1
                gate.go_on.set()
            # Those for whom it would take long are told so, too.
            assert [each.status_code for each in answers].count(503) == MAX_BATCH + 20
            assert [each.json()["char"] for each in answers if each.status_code == 200] == ["L"]
            assert {each.headers["retry-after"] for each in answers if each.status_code == 503} == {"1"}
            assert await metric(client, 'penread_rejections_total{reason="queue"}') == MAX_BATCH + 20
            assert await metric(client, 'penread_queue_waiting{lane="glyphs"}') == 0
            await ask(client, answers, strokes=STROKES_L)
            assert answers[-1].status_code == 200

    run(scenario)


def test_a_queue_that_was_full_is_kept_short_for_a_while() -> None:
    """Work that comes faster than it can be done must not find a long queue: everyone would wait for all of it."""

    async def scenario() -> None:
        async with gated(queue=20) as (_, client, gate):
            answers: list[httpx2.Response] = []
            async with anyio.create_task_group() as tasks:
                await fill(tasks, client, answers, MAX_BATCH + 20)
                await ask(client, answers, strokes=STROKES_L)
                await until(lambda: len(answers) == MAX_BATCH + 20)
                answers.clear()
                # One runs, and none may wait for it.
                for _ in range(3):
                    await ask(client, answers, strokes=STROKES_L)
                assert [each.status_code for each in answers] == [503] * 3
                answers.clear()
                gate.go_on.set()
            assert [each.status_code for each in answers] == [200]
            # After a while without refusals a burst is taken in full again.
            await asyncio.sleep(1.2)
            gate.go_on = Event()
            answers.clear()
            async with anyio.create_task_group() as tasks:
                await fill(tasks, client, answers, MAX_BATCH + 20)
                gate.go_on.set()
            assert [each.status_code for each in answers] == [200] * (MAX_BATCH + 20)

    run(scenario)


def test_images_have_a_queue_of_their_own_and_drawings_pass_them() -> None:
    async def scenario() -> None:
        async with gated(before="predict_many", queue=3) as (_, client, gate):
            image = base64.b64encode(png(STROKES_L)).decode()
            answers: list[httpx2.Response] = []
            async with anyio.create_task_group() as tasks:
                for _ in range(1 + 3):
                    tasks.start_soon(lambda: ask(client, answers, image=image))
                await until(lambda: len(gate.batches) == 1)
                await anyio.wait_all_tasks_blocked()
                assert not answers
                await ask(client, answers, image=image)
                # The one that runs stays, and one that follows it.
                await until(lambda: len(answers) == 3)
                assert [each.status_code for each in answers] == [503] * 3
                answers.clear()
                # What is drawn needs no thread that reads images.
                await ask(client, answers, strokes=STROKES_L)
                assert answers.pop().json()["char"] == "L"
                gate.go_on.set()
            assert [each.json()["char"] for each in answers] == ["L"] * 2

    run(scenario)


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def scenario() -> None:
        async with gated() as (app, client, gate):
            image = base64.b64encode(png(STROKES_L)).decode()
            answers: list[httpx2.Response] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: ask(client, answers, image=image))
                await until(lambda: len(gate.batches) == 1)

                # A client that sends its request, and leaves.
                body = json.dumps({"image": image}).encode()
                messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
                sent: list[Any] = []

                async def receive() -> Any:
                    return messages.pop(0)

                async def send(message: Any) -> None:
                    sent.append(message)

                scope = {
                    "type": "http", "method": "POST", "path": "/api/v1/predict", "raw_path": b"/api/v1/predict",
                    "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
                    "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1),
                    "server": ("test", 80), "asgi": {"version": "3.0"}, "state": {},
                }  # fmt: skip
                await app(scope, receive, send)
                gate.go_on.set()
            assert [each.json()["char"] for each in answers] == ["L"]
            assert gate.batches == [1]
            assert await metric(client, 'penread_queue_waiting{lane="images"}') == 0
            assert await metric(client, 'penread_queue_running{lane="images"}') == 0

    run(scenario)


def test_what_was_given_up_while_it_waited_is_not_kept() -> None:
    class Body:
        """What a request holds."""

    async def scenario() -> None:
        async with gated() as (app, _, gate):
            lane = app.state.service.pages
            kept: list[weakref.ref[Body]] = []

            async def leave() -> dict[str, str]:
                await asyncio.sleep(0.01)
                return {"type": "http.disconnect"}

            async def give_up() -> None:
                body = Body()
                kept.append(weakref.ref(body))
                with pytest.raises(ClientGone):
                    await lane.run(lambda: (gate.go_on.wait(60), body), leave)

            for _ in range(12):
                await give_up()
            gc.collect()
            # But for those that a thread is at.
            assert sum(each() is not None for each in kept) <= 2

    run(scenario)


def test_an_image_of_few_bytes_and_many_pixels_does_not_hold_up_small_ones() -> None:
    async def scenario() -> None:
        async with gated(before="predict_many") as (_, client, gate):
            buffer = io.BytesIO()
            Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((2000, 2000)).save(buffer, "PNG")
            content = buffer.getvalue()
            assert len(content) < LARGE_BYTES
            answers: list[httpx2.Response] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: ask(client, answers, image=base64.b64encode(content).decode()))
                await until(lambda: len(gate.batches) == 1)
                waiting = 'penread_queue_running{lane="%s"}'
                assert await metric(client, waiting % "photos") == 1
                assert await metric(client, waiting % "images") == 0
                gate.go_on.set()
            assert [each.json()["char"] for each in answers] == ["L"]

    run(scenario)


def test_all_bodies_together_have_a_bound() -> None:
    """Not each of a thousand connections may hold a body of the largest size in memory."""

    async def scenario() -> None:
        async with gated(max_body_bytes=100_000) as (_, client, gate):
            answers: list[httpx2.Response] = []
            blank = {"image": base64.b64encode(png(STROKES_L)).decode() + " " * 90_000}
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(lambda: ask(client, answers, **blank))
                await until(lambda: len(gate.batches) == 1)
                await anyio.wait_all_tasks_blocked()
                assert answers, "twenty bodies of 90 kB were held, where 16 of the largest are the most"
                assert {each.status_code for each in answers} == {503}
                assert {each.headers["retry-after"] for each in answers} == {"1"}
                refused = len(answers)
                gate.go_on.set()
            assert sum(each.status_code == 200 for each in answers) == 20 - refused
            await ask(client, answers, **blank)
            assert answers[-1].status_code == 200

    run(scenario)


@pytest.mark.parametrize("room", [1, 3])
def test_a_failure_of_the_graph_is_500_and_the_next_request_is_served(room: int) -> None:
    async def scenario() -> None:
        async with gated(queue=room) as (app, client, gate):
            gate.go_on.set()
            score = app.state.service.recognizer.score

            def fail(_: Any) -> Any:
                raise RuntimeError("the graph is broken")

            app.state.service.recognizer.score = fail
            answers: list[httpx2.Response] = []
            for _ in range(MAX_BATCH + room + 1):
                await ask(client, answers, strokes=STROKES_L)
            assert {each.status_code for each in answers} == {500}
            app.state.service.recognizer.score = score
            await ask(client, answers, strokes=STROKES_L)
            assert answers[-1].json()["char"] == "L"

    run(scenario)
