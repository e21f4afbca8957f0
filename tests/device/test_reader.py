"""The reader on the device, in a real browser: its thread, what it fetches and when, and what may go wrong."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from penread import Ink, Recognizer
from penread import runtime as runtimes
from penread.bundle import Bundle
from tests.conftest import STROKES_L
from tests.device.test_recognizer import HT, scribbles
from tests.made import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

STROKES = {each["label"]: each["strokes"] for each in drawn()}

# Puts a reader on the page, and `ask(method, ...)`, which gives the answer or the failure's name.
START = """async () => {
    const { createDeviceReader } = await import("/static/device.js");
    window.progress = [];
    window.reader = createDeviceReader({ onProgress: (loaded, total) => progress.push([loaded, total]) });
    window.ask = async (method, source, how) => {
        try {
            const { signal } = new AbortController();
            const answer = await reader[method](source, { charset: null, signal, ...how });
            return { ...answer, ...(answer?.glyph && { glyph: Array.from(answer.glyph) }) };
        } catch (error) {
            return { failure: error.failure ?? error.name, status: error.status };
        }
    };
}"""


class Reader:
    """A reader on a page, and what the page asked the server for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: Counter[str] = Counter()
        page.on("request", lambda request: self.asked.update([request.url.partition("/static/")[2]]))
        # Why it failed, should it fail: pytest shows it.
        page.on("console", lambda message: print(message.text))
        page.evaluate(START)

    def ask(self, method: str, strokes: Any, **how: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.page.evaluate("(given) => ask(...given)", [method, strokes, how])
        return answer

    def fetched(self, *kinds: str) -> list[str]:
        """The files asked for that end in one of these, as often as they were."""
        return sorted(name for name in self.asked.elements() if name.endswith(kinds))


@pytest.fixture
def reader(site: Page) -> Reader:
    return Reader(site)


def test_a_drawing_is_read_with_the_same_answer_as_the_servers(
    reader: Reader, server: str, recognizer: Recognizer
) -> None:
    for strokes in (STROKES_L, STROKES["B"], scribbles(1)[0]):
        here = reader.ask("recognize", strokes)
        there = httpx2.post(f"{server}/api/v1/predict", json={"strokes": strokes}).json()
        assert here["kind"] == "character"
        assert [here[name] for name in ("char", "rejected", "reason", "model")] == [
            there[name] for name in ("char", "rejected", "reason", "model")
        ]
        assert [each["char"] for each in here["candidates"]] == [each["char"] for each in there["candidates"]]
        assert here["glyph"] == Ink(strokes).glyph().ravel().tolist()
        assert here["candidates"][0]["confidence"] == pytest.approx(there["candidates"][0]["confidence"], abs=0.02)
    assert reader.ask("recognize", STROKES["C"], charset="lower")["char"] == "c"
    why = reader.ask("explain", STROKES["E"], char="F")
    assert why["char"] == "F"
    assert sum(map(sum, why["importance"][20:])) < -1
    assert recognizer.predict(Ink(STROKES["E"])).char == "E"


def words_of(answer: dict[str, Any]) -> list[Any]:
    return [[each["char"], *each["box"].values()] for line in answer["lines"] for each in line["characters"]]


@pytest.mark.parametrize("charset", [None, "lower"])
def test_several_characters_are_read_as_text(reader: Reader, server: str, charset: str | None) -> None:
    here = reader.ask("recognize", HT, charset=charset)
    body = {"strokes": HT, "charset": charset}
    there = httpx2.post(f"{server}/api/v1/read", json=body).json()
    assert (here["kind"], here["text"], here["model"]) == ("text", there["text"], there["model"])
    for ours, theirs in zip(words_of(here), words_of(there), strict=True):
        assert ours == [theirs[0], *(pytest.approx(side, abs=0.2) for side in theirs[1:])]
    assert (here["width"], here["height"]) == (there["width"], there["height"])
    reader.ask("recognize", HT)
    assert reader.fetched(".npz") == ["model/english.npz"]
    if charset == "lower":
        # What English makes of it is not what its letters alone say.
        assert httpx2.post(f"{server}/api/v1/read", json={**body, "context": False}).json()["text"] != there["text"]


@pytest.mark.parametrize(
    "fate",
    [lambda route: route.abort(), lambda route: route.fulfill(status=404), lambda route: route.fulfill(body="-")],
)
def test_without_the_model_of_english_words_are_read_letter_by_letter(
    reader: Reader, recognizer: Recognizer, fate: Any
) -> None:
    reader.page.context.route("**/model/english.npz", fate)
    here = reader.ask("recognize", HT, charset="lower")["text"]
    assert here == recognizer.read(Ink(HT), charset="lower", context=False).text
    # It is asked for again, once it can be had.
    reader.page.context.unroute("**/model/english.npz")
    assert reader.ask("recognize", HT, charset="lower")["text"] == recognizer.read(Ink(HT), charset="lower").text
    assert reader.fetched(".npz", ".onnx") == ["model/english.npz", "model/english.npz", "model/model.onnx"]


def test_nothing_is_fetched_before_it_is_needed(reader: Reader) -> None:
    heavy = (".wasm", ".onnx", ".npz", ".mjs", "worker.js")
    assert reader.fetched(*heavy) == []
    for _ in range(3):
        assert reader.ask("recognize", STROKES_L)["char"] == "L"
    assert reader.fetched(*heavy) == [
        "device/worker.js",
        "model/model.onnx",
        "onnxruntime/ort-wasm-simd-threaded.mjs",
        "onnxruntime/ort-wasm-simd-threaded.wasm",
        "onnxruntime/ort.wasm.min.mjs",
    ]


def test_it_can_be_made_ready_ahead(reader: Reader) -> None:
    assert reader.ask("load", None) == {}
    assert reader.fetched(".wasm") != []
    reader.page.context.set_offline(True)
    assert reader.ask("recognize", STROKES_L)["char"] == "L"


@pytest.mark.parametrize("is_compressed", [True, False])
def test_progress_tells_what_is_sure(reader: Reader, is_compressed: bool) -> None:
    def uncompressed(route: Route) -> None:
        answer = route.fetch()
        headers = {"content-type": answer.headers["content-type"], "content-length": str(len(answer.body()))}
        route.fulfill(status=200, headers=headers, body=answer.body())

    if not is_compressed:
        reader.page.context.route(re.compile(r"\.(wasm|onnx)$"), uncompressed)
    assert reader.ask("recognize", STROKES_L)["char"] == "L"
    told = reader.page.evaluate("progress")
    loaded = [each[0] for each in told]
    assert loaded == sorted(loaded)
    wasm = runtimes.DIRECTORY / "ort-wasm-simd-threaded.wasm"
    size = len(Bundle.load().onnx) + wasm.stat().st_size
    assert loaded[-1] == size
    assert told[-1][1] == (None if is_compressed else size)
    assert {total for _, total in told} <= {None, size, len(Bundle.load().onnx), wasm.stat().st_size}


def test_many_at_once_get_their_own_answers(reader: Reader) -> None:
    labels = ["A", "B", "E", "H", "K", "T", "7", "3"]
    answers = reader.page.evaluate(
        "(all) => Promise.all(all.map((strokes) => ask('recognize', strokes)))", [STROKES[label] for label in labels]
    )
    assert [answer["char"] for answer in answers] == labels


def test_the_aborted_are_dropped_and_the_newest_is_answered(reader: Reader) -> None:
    reader.ask("load", None)
    answers = reader.page.evaluate(
        """async (all) => {
            const controllers = all.map(() => new AbortController());
            const asked = all.map((strokes, at) => ask("recognize", strokes, { signal: controllers[at].signal }));
            for (const controller of controllers.slice(0, -1)) controller.abort();
            return Promise.all([...asked, ask("recognize", all[0], { signal: AbortSignal.abort() })]);
        }""",
        [STROKES["A"], STROKES["B"], STROKES_L],
    )
    assert [answer.get("failure") for answer in answers] == ["AbortError", "AbortError", None, "AbortError"]
    assert answers[2]["char"] == "L"
    assert reader.ask("recognize", STROKES["B"])["char"] == "B"
    assert reader.fetched("worker.js") == ["device/worker.js"]


def test_long_answers_can_be_aborted_for_a_short_one(reader: Reader) -> None:
    answers = reader.page.evaluate(
        """async ([first, second]) => {
            const { signal } = window.controller = new AbortController();
            const reasons = [1, 2, 3].map(() => ask("explain", first, { char: "B", signal }));
            const char = ask("recognize", second);
            controller.abort();
            return [await char, ...(await Promise.all(reasons))];
        }""",
        [STROKES["B"], STROKES_L],
    )
    assert answers[0]["char"] == "L"
    assert [answer["failure"] for answer in answers[1:]] == ["AbortError"] * 3
    assert reader.ask("explain", STROKES["B"], char="B")["char"] == "B"


def test_what_waits_for_the_files_can_be_aborted(reader: Reader) -> None:
    answers = reader.page.evaluate(
        """async ([first, second]) => {
            const controller = new AbortController();
            const given_up = ask("recognize", first, { signal: controller.signal });
            await new Promise((resolve) => setTimeout(resolve, 20));
            controller.abort();
            return Promise.all([given_up, ask("recognize", second)]);
        }""",
        [STROKES["A"], STROKES["B"]],
    )
    assert answers[0]["failure"] == "AbortError"
    assert answers[1]["char"] == "B"
    assert reader.fetched(".onnx") == ["model/model.onnx"]


def test_a_wrong_charset_or_drawing_is_refused_and_the_thread_stays(reader: Reader) -> None:
    assert reader.ask("recognize", STROKES_L, charset="é")["failure"] == "charset"
    assert reader.ask("recognize", STROKES_L, charset="")["failure"] == "charset"
    assert reader.ask("recognize", [[[0, 9e9], [1, 1]]])["failure"] == "refused"
    assert reader.ask("explain", [], char="L")["failure"] == "refused"
    assert reader.ask("explain", STROKES_L, char="?")["failure"] == "refused"
    assert reader.ask("recognize", STROKES_L)["char"] == "L"
    assert reader.fetched(".onnx", "worker.js") == ["device/worker.js", "model/model.onnx"]


def truncated(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.body()[:500_000])


def of_another_model(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "sha256": "0" * 64})


@pytest.mark.parametrize(
    ("file", "damage", "failure"),
    [
        ("model/model.onnx", truncated, {"failure": "device", "status": None}),
        ("model/model.json", of_another_model, {"failure": "device", "status": None}),
        ("model/model.json", lambda route: route.fulfill(body="<html>"), {"failure": "device", "status": None}),
        ("onnxruntime/ort-wasm-simd-threaded.wasm", truncated, {"failure": "device", "status": None}),
        ("onnxruntime/ort-wasm-simd-threaded.wasm", lambda route: route.fulfill(status=404), {"status": 404}),
        ("onnxruntime/ort.wasm.min.mjs", lambda route: route.fulfill(status=404), {"failure": "device"}),
        ("model/model.onnx", lambda route: route.abort(), {"failure": "offline"}),
        ("device/worker.js", lambda route: route.abort(), {"failure": "device"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_not_be_loaded_is_told_and_tried_anew(
    reader: Reader, file: str, damage: Any, failure: dict[str, Any]
) -> None:
    reader.page.context.route(f"**/static/{file}", damage)
    found = reader.ask("recognize", STROKES_L)
    assert {name: found[name] for name in failure} == failure
    reader.page.context.unroute(f"**/static/{file}")
    assert reader.ask("recognize", STROKES_L)["char"] == "L"


def test_without_the_network_it_says_so_and_comes_back(reader: Reader) -> None:
    reader.page.context.set_offline(True)
    assert reader.ask("recognize", STROKES_L)["failure"] == "offline"
    reader.page.context.set_offline(False)
    assert reader.ask("recognize", STROKES_L)["char"] == "L"


def test_a_dead_thread_is_noticed_and_replaced(reader: Reader) -> None:
    assert reader.ask("recognize", STROKES_L)["char"] == "L"
    reader.page.clock.install()
    [worker] = reader.page.workers
    worker.evaluate("self.close()")
    reader.page.evaluate("(strokes) => { window.asked = ask('recognize', strokes); }", STROKES_L)
    reader.page.clock.run_for(31_000)
    assert reader.page.evaluate("asked")["failure"] == "device"
    assert reader.ask("recognize", STROKES_L)["char"] == "L"


def test_it_can_be_closed(reader: Reader) -> None:
    assert reader.ask("recognize", STROKES_L)["char"] == "L"
    failure = reader.page.evaluate(
        "(strokes) => { const all = ask('recognize', strokes); reader.close(); return all; }", STROKES_L
    )
    assert failure["failure"] == "device"
    assert reader.ask("recognize", STROKES["A"])["char"] == "A"
    assert len(reader.page.workers) == 1


def test_a_strict_content_security_policy_lets_it_read(site: Page) -> None:
    policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"

    def guarded(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    site.context.route("**/*", guarded)
    site.reload()
    read_policy = "(url) => fetch(url).then((answer) => answer.headers.get('content-security-policy'))"
    assert site.evaluate(read_policy, f"{site.url.rpartition('/')[0]}/static/device/worker.js") == policy
    reader = Reader(site)
    assert reader.ask("recognize", STROKES_L)["char"] == "L"
