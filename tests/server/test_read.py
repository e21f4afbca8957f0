"""POST /api/v1/read, on a real server over real sockets."""

from __future__ import annotations

import base64
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Event
from typing import Any

import anyio
import httpx2
import pytest
from anyio.from_thread import start_blocking_portal

from penread import Ink, Reading, Recognizer
from penread.server.app import create_app
from penread.server.limits import MAX_CHARSETS, MAX_POINTS
from penread.server.settings import MAX_BODY_BYTES, Settings
from tests.conftest import STROKES_L
from tests.documents.written import page_of, strokes_of
from tests.server.test_api import problem

LINES = ("HEAT MEN", "377 WET")
STROKES = strokes_of(*LINES)
PNG = io.BytesIO()
page_of(*LINES).save(PNG, "PNG")
PAGE = PNG.getvalue()


@pytest.fixture(scope="module")
def api(server: str):
    with httpx2.Client(base_url=server, timeout=60) as client:
        yield client


def read(api: httpx2.Client, **body: Any) -> httpx2.Response:
    return api.post("/api/v1/read", json=body)


def read_file(api: httpx2.Client, **fields: Any) -> httpx2.Response:
    return api.post("/api/v1/read", files={"image": ("page.png", PAGE, "image/png")}, data=fields)


def test_strokes_are_read_as_in_python(api: httpx2.Client, recognizer: Recognizer) -> None:
    response = read(api, strokes=STROKES)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    reading = recognizer.read(Ink(STROKES))
    assert answer.pop("model") == {"name": recognizer.info.name, "version": recognizer.info.version}
    assert answer.pop("text") == reading.text == "HEAT MEN\n377 WET"
    assert close(answer, asdict(reading))
    assert set(answer["lines"][0]["characters"][0]) == {
        "char", "confidence", "candidates", "rejected", "reason", "box",
    }  # fmt: skip


def close(one: Any, other: Any) -> bool:
    """Tells whether two structures are the same, numbers up to rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return bool(one == pytest.approx(other, abs=1e-6)) if isinstance(one, float) else bool(one == other)


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_images_are_read(api: httpx2.Client, prefix: str) -> None:
    answer = read(api, image=prefix + base64.b64encode(PAGE).decode()).json()
    assert answer["text"] == "HEAT MEN\n377 WET"
    assert (answer["width"], answer["height"]) == (1240, 1754)


def test_a_file_is_read_with_options(api: httpx2.Client) -> None:
    answer = read_file(api, charset=["upper", ""], context="false", top_k="2", unclear_above="1").json()
    assert [line["text"] for line in answer["lines"]] == ["HEAT MEN", "377 WET"]
    characters = [each for line in answer["lines"] for each in line["characters"]]
    assert {len(each["candidates"]) for each in characters} == {2}
    digits = read_file(api, charset="digits", unclear_above="1").json()
    assert re.fullmatch("[0-9 \n]+", digits["text"])
    assert digits["text"].split("\n")[1].startswith("377")


def test_charsets_for_each_line(api: httpx2.Client) -> None:
    lines = read(api, strokes=STROKES, charset=["lower", None], unclear_above=1).json()["lines"]
    assert re.fullmatch("[a-z ]+", lines[0]["text"])
    assert lines[1]["text"] == "377 WET"


def test_nothing_gives_no_lines(api: httpx2.Client) -> None:
    answer = read(api, strokes=[]).json()
    assert (answer["text"], answer["lines"], answer["width"], answer["height"]) == ("", [], 0, 0)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "give either strokes or image"),
        ({"strokes": [], "image": ""}, "give either strokes or image"),
        ({"strokes": [[[0, "x"]]]}, r"strokes.0.0.1: .*number"),
        ({"strokes": [[[0, 0]] * (MAX_POINTS // 2 + 1)] * 2}, "20,002 points; 20,000 is the most"),
        ({"strokes": STROKES, "top_k": 0}, "top_k: .*greater than or equal to 1"),
        ({"strokes": STROKES, "unclear_above": 2}, "unclear_above: .*less than or equal to 1"),
        ({"strokes": STROKES, "context": "perhaps"}, "context: .*boolean"),
        ({"strokes": STROKES, "charset": "é"}, "no class for 'é'"),
        ({"strokes": STROKES, "charset": ["upper", "é"]}, "no class for 'é'"),
        ({"strokes": STROKES, "charset": ["upper"] * 3}, "3 charsets for 2 lines"),
        ({"strokes": STROKES, "charset": []}, "charset.list: .*at least 1"),
        ({"strokes": STROKES, "charset": [5]}, "charset.list.0: .*string"),
        ({"strokes": STROKES, "charset": 5}, "charset.string: .*string"),
        ({"strokes": STROKES, "charset": ["upper"] * (MAX_CHARSETS + 1)}, "charset.list: .*at most 200"),
        ({"strokes": STROKES, "include_glyph": True}, "include_glyph: there is no such field"),
        ({"image": "!"}, "image is not base64"),
        ({"image": "AAAA"}, "no image that can be read"),
        ({"image": base64.b64encode(b"%PDF-1.4").decode()}, "no image that can be read"),
    ],
)
def test_what_cannot_be_read_is_told(api: httpx2.Client, body: dict[str, Any], detail: str) -> None:
    assert re.search(detail, problem(read(api, **body), 422))


def test_bodies_and_forms_that_are_not_right_are_told(api: httpx2.Client) -> None:
    header = {"content-type": "application/json"}
    problem(api.post("/api/v1/read", content=b"{", headers=header), 422)
    too_large = b'{"image": "' + b"A" * MAX_BODY_BYTES + b'"}'
    assert "larger than" in problem(api.post("/api/v1/read", content=too_large, headers=header), 413)
    assert "send application/json" in problem(api.post("/api/v1/read", content=b"x"), 415)
    assert 'no file "image"' in problem(api.post("/api/v1/read", files={"photo": ("a", PAGE)}), 422)
    assert "charset.list: " in problem(read_file(api, charset=["upper"] * (MAX_CHARSETS + 1)), 422)
    problem(read_file(api, charset=["upper"] * 2000), 400)
    problem(api.get("/api/v1/read"), 405)


def test_small_questions_are_answered_while_pages_are_read(api: httpx2.Client, server: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        pages = [pool.submit(read_file, api) for _ in range(8)]
        with httpx2.Client(base_url=server, timeout=30) as other:
            assert other.get("/healthz").status_code == 200
            assert other.post("/api/v1/predict", json={"strokes": STROKES_L}).json()["char"] == "L"
        assert [page.result().json()["text"] for page in pages] == ["HEAT MEN\n377 WET"] * 8


def test_one_character_allowed(api: httpx2.Client) -> None:
    for charset in "OAx1":
        answer = read(api, strokes=STROKES, charset=charset)
        assert answer.status_code == 200, answer.text


class Broken(Recognizer):
    """Gives answers that can't be."""

    def read(self, *_: Any, **__: Any) -> Reading:
        return Reading([], width=None, height=1)  # type: ignore[arg-type]


def test_an_answer_that_is_none_is_our_own_fault() -> None:
    async def ask() -> httpx2.Response:
        app = create_app(Settings())
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://t") as client,
        ):
            app.state.service.recognizer = Broken()
            return await client.post("/api/v1/read", json={"strokes": STROKES})

    with start_blocking_portal() as portal:
        problem(portal.call(ask), 500)


class Busy(Recognizer):
    """Reads no page before it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.go_on = Event()

    def read(self, *args: Any, **kwargs: Any) -> Reading:
        self.begun += 1
        assert self.go_on.wait(60)
        return super().read(*args, **kwargs)


def test_characters_are_read_while_every_core_that_reads_pages_is_busy() -> None:
    async def ask() -> None:
        app, busy = create_app(Settings()), Busy()
        pages: list[httpx2.Response] = []
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client,
        ):
            app.state.service.recognizer = busy

            async def page() -> None:
                pages.append(await client.post("/api/v1/read", json={"strokes": STROKES}))

            async with anyio.create_task_group() as asking:
                try:
                    for _ in range(2 * (os.cpu_count() or 1)):
                        asking.start_soon(page)
                    # All of them are being read now, or wait for one that is.
                    await anyio.wait_all_tasks_blocked()
                    assert busy.begun == max((os.cpu_count() or 1) - 1, 1)
                    with anyio.fail_after(30):
                        answer = await client.post("/api/v1/predict", json={"strokes": STROKES_L})
                    assert answer.json()["char"] == "L"
                    assert not pages
                finally:
                    busy.go_on.set()
        assert [page.json()["text"] for page in pages] == ["HEAT MEN\n377 WET"] * 2 * (os.cpu_count() or 1)

    # In a thread of its own: where the page was tested before, this one has the browser's event loop.
    with start_blocking_portal() as portal:
        portal.call(ask)


def test_the_documented_example_works(api: httpx2.Client) -> None:
    schema = api.get("/openapi.json").json()
    operation = schema["paths"]["/api/v1/read"]["post"]
    [example] = operation["requestBody"]["content"]["application/json"]["schema"]["examples"]
    answer = read(api, **example).json()
    assert answer["text"] == "LOT"
    # What is answered is what is described.
    described = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert set(answer) == set(schema["components"]["schemas"][described]["properties"])
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"image", "charset", "context", "top_k", "unclear_above"}
