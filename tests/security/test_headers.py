"""What browsers are told with each answer, and that the page and the documentation work under it."""

from __future__ import annotations

import re
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.sync_api import Page, expect

from penread.server.security import DOCS_POLICY, OTHER_POLICY, PAGE_POLICY
from tests.conftest import STROKES_L, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

ELSEWHERE = "https://elsewhere.example"


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def open_api() -> Iterator[httpx2.Client]:
    """A server that two other origins may use, whose proxy is elsewhere."""
    env = {"PENREAD_CORS_ORIGINS": f"{ELSEWHERE}, https://second.example", "PENREAD_TRUSTED_PROXIES": "192.0.2.1"}
    with serving(env=env) as (address, _), httpx2.Client(base_url=address, timeout=30) as client:
        yield client


def once(response: httpx2.Response, name: str) -> str:
    """Gives a header that must be there exactly once."""
    [value] = response.headers.get_list(name)
    return value


@pytest.mark.parametrize(
    ("path", "policy", "is_kept"),
    [
        ("/", PAGE_POLICY, True),
        ("/sw.js", PAGE_POLICY, True),
        ("/static/device/worker.js", PAGE_POLICY, True),
        ("/static/main.js", OTHER_POLICY, True),
        ("/static/favicon.svg", OTHER_POLICY, True),
        ("/config.json", OTHER_POLICY, True),
        ("/docs", DOCS_POLICY, True),
        ("/docs/start.js", OTHER_POLICY, True),
        ("/static-offline-docs/swagger-ui.css", OTHER_POLICY, True),
        ("/openapi.json", OTHER_POLICY, False),
        ("/healthz", OTHER_POLICY, False),
        ("/metrics", OTHER_POLICY, False),
        ("/nothing", OTHER_POLICY, False),
        ("/api/v1/predict", OTHER_POLICY, False),
        ("/v2/health/ready", OTHER_POLICY, False),
    ],
)
def test_every_answer_has_its_policy(api: httpx2.Client, path: str, policy: str, *, is_kept: bool) -> None:
    response = api.get(path)
    assert once(response, "content-security-policy") == policy
    assert once(response, "x-content-type-options") == "nosniff"
    assert once(response, "cross-origin-resource-policy") == "same-origin"
    assert "server" not in response.headers
    assert "strict-transport-security" not in response.headers
    assert (response.headers.get("cache-control") == "no-store") == (not is_kept)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_the_camera_and_nothing_else(api: httpx2.Client, path: str) -> None:
    response = api.get(path)
    assert once(response, "referrer-policy") == "no-referrer"
    features = dict(each.split("=") for each in once(response, "permissions-policy").split(", "))
    assert features.pop("camera") == "(self)"
    assert {"microphone", "geolocation", "payment"} <= set(features)
    assert set(features.values()) == {"()"}


@pytest.mark.parametrize(("body", "status"), [({"strokes": STROKES_L}, 200), ({"strokes": "L"}, 422)])
def test_answers_of_the_api_are_nobodys_to_keep_or_show(api: httpx2.Client, body: object, status: int) -> None:
    response = api.post("/api/v1/predict", json=body)
    assert response.status_code == status
    assert once(response, "content-security-policy") == OTHER_POLICY
    assert once(response, "cache-control") == "no-store"


def test_what_did_not_change_still_has_its_policy(api: httpx2.Client) -> None:
    tag = api.get("/").headers["etag"]
    response = api.get("/", headers={"If-None-Match": tag})
    assert response.status_code == 304
    assert once(response, "content-security-policy") == PAGE_POLICY
    assert once(response, "cache-control") == "no-cache"


@pytest.mark.parametrize("policy", [PAGE_POLICY, DOCS_POLICY, OTHER_POLICY])
def test_the_policies_are_strict(policy: str) -> None:
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    sources = {source for value in directives.values() for source in value.split()}
    assert sources <= {"'none'", "'self'", "'wasm-unsafe-eval'", "data:", "blob:"}
    assert "data:" not in directives.get("script-src", "")


class Inline(HTMLParser):
    """Finds what a strict policy forbids in a page: scripts and styles that are no files."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_nothing_inline(api: httpx2.Client, path: str) -> None:
    inline = Inline()
    inline.feed(api.get(path).text)
    assert inline.found == []


def test_https_stays_https_where_the_proxy_says_so(api: httpx2.Client, open_api: httpx2.Client) -> None:
    by_https = {"X-Forwarded-Proto": "https"}
    for path in ("/", "/docs", "/static/device/worker.js", "/healthz", "/api/v1/predict"):
        response = api.get(path, headers=by_https)
        assert re.fullmatch(r"max-age=\d{8}", once(response, "strict-transport-security"))
        assert once(response, "x-content-type-options") == "nosniff"
        assert "default-src 'none'" in once(response, "content-security-policy")
        if path in {"/", "/docs"}:
            assert once(response, "cross-origin-opener-policy") == "same-origin"
    # A proxy that nobody trusts says nothing, and on plain http browsers would only complain.
    for response in (open_api.get("/", headers=by_https), api.get("/")):
        assert "strict-transport-security" not in response.headers
        assert "cross-origin-opener-policy" not in response.headers


def test_no_other_origin_may_use_the_api(api: httpx2.Client) -> None:
    origin = {"Origin": ELSEWHERE}
    asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for response in (
        api.post("/api/v1/predict", json={"strokes": STROKES_L}, headers=origin),
        api.options("/api/v1/predict", headers=asked),
        api.get("/", headers=origin),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_origins_that_are_set_may(open_api: httpx2.Client) -> None:
    origin = {"Origin": ELSEWHERE}
    asked = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-api-key, inference-header-content-length",
    }
    preflight = open_api.options("/api/v1/predict", headers=asked)
    assert preflight.status_code == 200
    assert once(preflight, "access-control-allow-origin") == ELSEWHERE
    assert "POST" in once(preflight, "access-control-allow-methods")
    # Errors, too: else a page there could not tell what is wrong.
    for body in ({"strokes": STROKES_L}, {}):
        answer = open_api.post("/api/v1/predict", json=body, headers=origin)
        assert once(answer, "access-control-allow-origin") == ELSEWHERE
        assert {"X-Request-ID", "Retry-After", "RateLimit"} <= set(
            once(answer, "access-control-expose-headers").split(", ")
        )
        assert "access-control-allow-credentials" not in answer.headers
    stranger = {**asked, "Origin": "https://stranger.example"}
    assert open_api.options("/api/v1/predict", headers=stranger).status_code == 400
    assert "access-control-allow-origin" not in open_api.get("/healthz", headers=stranger).headers


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab in which nothing may be complained of, violations of policies least of all."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    yield page
    context.close()
    assert said == []


def test_the_api_can_be_tried_in_its_documentation(tab: Page, server: str) -> None:
    tab.goto(f"{server}/docs")
    operation = tab.locator(".opblock", has_text="/api/v1/predict").first
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    with tab.expect_response("**/api/v1/predict") as answered:
        operation.get_by_role("button", name="Execute").click()
    assert answered.value.json()["char"] == "L"
    expect(operation.locator(".live-responses-table")).to_contain_text('"char": "L"')


def test_other_pages_can_show_neither_page_in_a_frame(browser: Browser, server: str, tmp_path: Path) -> None:
    frames = f'<iframe src="{server}/"></iframe><iframe src="{server}/docs"></iframe>'
    (tmp_path / "index.html").write_text(frames)
    context = browser.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "frame-ancestors" in message.text else None)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path))) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{elsewhere.server_port}/", wait_until="networkidle")
        elsewhere.shutdown()
    assert len(refused) == 2
    assert [frame.locator("canvas, #docs").count() for frame in page.frames[1:]] == [0, 0]
    context.close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
