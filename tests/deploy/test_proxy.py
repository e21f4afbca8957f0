"""nginx as deploy/ sets it up, in front of real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conftest import PENREAD, ROOT, STROKES_L, serving
from tests.deploy.compose import compose, environment
from tests.deploy.proxy import DOMAIN, Proxy, free_port, proxying, write_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PENREAD_ENV = environment(compose(GRAFANA_PASSWORD="x")["services"]["penread-1"])
BODY = {"strokes": STROKES_L}


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that came; the server counts the requests that reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def penread() -> Iterator[str]:
    """A server with the environment that compose.yaml gives it."""
    with serving(env=PENREAD_ENV) as (address, _):
        yield address


@pytest.fixture(scope="module")
def proxy(penread: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    port = int(penread.rpartition(":")[2])
    with proxying(tmp_path_factory.mktemp("proxy"), [port, port]) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=proxy.address, verify=proxy.trust, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, list[str]]]:
    """A proxy in front of a server that tells what it was sent, and the paths that reached that server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.seen = []  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with proxying(tmp_path_factory.mktemp("echo"), [server.server_port] * 2) as running:
            yield running, server.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def problem(response: httpx2.Response, status: int) -> str:
    """Checks that a response is a problem (RFC 9457) of the status; gives its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    return str(body["detail"])


def test_nginx_takes_the_configuration_without_a_word(proxy: Proxy) -> None:
    command = write_configuration(proxy.folder, {
        "PROXY_HTTP_PORT": "1", "PROXY_HTTPS_PORT": "2",
        "PROXY_UPSTREAM_1": "127.0.0.1:3", "PROXY_UPSTREAM_2": "127.0.0.1:4",
        "PROXY_RESOLVER": "127.0.0.1", "PROXY_CERTS": str(proxy.folder / "certs"), "PROXY_ACME": str(proxy.folder),
    })  # fmt: skip
    ended = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "warn" not in ended.stderr
    assert "${" not in (proxy.folder / "conf.d" / "penread.conf").read_text()


def test_the_page_and_the_api_by_tls(client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    scripts = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert scripts
    for script in scripts:
        assert client.get(f"/{script}").status_code == 200
    answer = client.post("/api/v1/predict", json=BODY)
    assert answer.status_code == 200
    assert answer.json()["char"] == "L"
    # An error of penread's own goes through as it is.
    assert "strokes" in problem(client.post("/api/v1/predict", json={}), 422)


def test_http_leads_to_https_but_for_the_certificates_renewal(proxy: Proxy) -> None:
    challenges = proxy.folder / "acme" / ".well-known" / "acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("the answer")
    plain = f"http://127.0.0.1:{proxy.http_port}"
    assert httpx2.get(f"{plain}/.well-known/acme-challenge/token").text == "the answer"
    response = httpx2.post(f"{plain}/api/v1/predict?a=b", json=BODY)
    assert response.status_code == 308
    assert response.headers["location"] == f"https://{DOMAIN}/api/v1/predict?a=b"
    # The Host header is the client's to choose, and leads nowhere.
    assert httpx2.get(plain, headers={"Host": "evil.example"}).headers["location"] == f"https://{DOMAIN}/"


@pytest.mark.parametrize("name", ["other.example", None])
def test_who_asks_for_another_host_gets_no_handshake(proxy: Proxy, name: str | None) -> None:
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", proxy.https_port), timeout=10) as raw,
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
    ):
        anyone.wrap_socket(raw, server_hostname=name)


def test_metrics_are_not_for_the_world(proxy: Proxy, penread: str) -> None:
    assert "penread_" in httpx2.get(f"{penread}/metrics").raise_for_status().text
    for path in (
        "/metrics",
        "/metrics/",
        "//metrics",
        "/%6Detrics",
        "/static/../metrics",
        "/metrics?x=1",
        "/v2/../metrics",
    ):
        connection = proxy.connect()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 404, path
        assert b"penread_" not in body
        connection.close()


def test_a_large_body_is_refused_before_it_is_sent(proxy: Proxy) -> None:
    connection = proxy.connect()
    connection.putrequest("POST", "/api/v1/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(16 * 1024 * 1024 + 1))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["detail"].startswith("The request is larger than 16 MiB.")
    connection.close()


def test_the_bounds_agree_with_penreads() -> None:
    from penread.server.settings import Settings
    from tests.deploy.proxy import TEMPLATE

    settings = {name: field.default for name, field in Settings.model_fields.items()}
    text = TEMPLATE.read_text("utf-8")
    assert settings["max_body_bytes"] == 16 * 1024 * 1024
    assert "client_max_body_size 16m;" in text
    [max_conns] = set(re.findall(r"max_conns=(\d+)", text))
    assert 50 <= settings["max_connections"] - int(max_conns) <= 200


def test_what_a_client_says_of_itself_is_not_believed(echo: tuple[Proxy, list[str]]) -> None:
    proxy, _ = echo
    invented = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "Forwarded": "for=6.6.6.6", "Host": DOMAIN}
    with httpx2.Client(base_url=proxy.address, verify=proxy.trust) as client:
        told = client.post("/api/v1/predict", content=b"x", headers=invented).json()
        assert told["x-forwarded-for"] == "127.0.0.1"
        assert told["x-forwarded-proto"] == "https"
        assert "forwarded" not in told
        assert told["host"] == DOMAIN
        # A request's number is kept where it is one, and goes into the log.
        assert re.fullmatch(r"[0-9a-f]{32}", told["x-request-id"])
        for given, kept in (("job-17.a_B", True), ("a" * 129, False), ("two words", False), ('"quoted"', False)):
            told = client.post("/api/v1/predict?secret=1", content=b"x", headers={"X-Request-ID": given}).json()
            assert (told["x-request-id"] == given) is kept
    # nginx writes its line when the answer is on its way.
    ends = time.monotonic() + 20
    while (logged := proxy.log()[-1])["request_id"] != told["x-request-id"]:
        assert time.monotonic() < ends, "the request is not in the log"
        time.sleep(0.05)
    assert (logged["method"], logged["path"], logged["status"]) == ("POST", "/api/v1/predict", 200)
    assert "secret" not in (proxy.folder / "out").read_text()


def test_a_slow_body_waits_at_the_proxy(echo: tuple[Proxy, list[str]]) -> None:
    proxy, seen = echo
    before = len(seen)
    connection = proxy.connect()
    connection.putrequest("POST", "/slow")
    connection.putheader("Content-Length", "200000")
    connection.endheaders(b"x" * 150_000)
    # Another request, sent later, is answered: what was to be passed on would have been.
    with httpx2.Client(base_url=proxy.address, verify=proxy.trust) as client:
        for _ in range(3):
            client.post("/quick", content=b"x").raise_for_status()
    assert seen[before:] == ["/quick"] * 3
    connection.send(b"x" * 50_000)
    assert connection.getresponse().status == 200
    assert seen[-1] == "/slow"
    connection.close()


def test_a_flood_is_refused_by_the_proxy_and_the_page_stays(penread: str, tmp_path: Path) -> None:
    port = int(penread.rpartition(":")[2])
    with (
        proxying(tmp_path, [port, port], PROXY_RATE="1r/m", PROXY_BURST="5") as running,
        httpx2.Client(base_url=running.address, verify=running.trust) as client,
    ):
        answers = [client.post("/api/v1/predict", json=BODY) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 6
        assert "Wait a second" in problem(answers[-1], 429)
        assert answers[-1].headers["retry-after"] == "1"
        assert client.get("/").status_code == 200
        log = running.log()
        assert [line["upstream"] for line in log if line["status"] == 429] == [""] * 6


@contextmanager
def serving_on(port: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server where another was; waits until it answers."""
    process = subprocess.Popen([PENREAD, "serve", "--port", port], env={**os.environ, **PENREAD_ENV})
    try:
        wait_for(lambda: process.poll() is None and listens(int(port)))
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_replica_is_replaced_without_a_lost_request(penread: str, tmp_path: Path) -> None:
    """Requests go on while one of two servers is stopped and another started in its place."""
    stop = threading.Event()

    def ask(running: Proxy) -> list[int]:
        statuses = []
        with httpx2.Client(base_url=running.address, verify=running.trust, timeout=30) as client:
            while not stop.is_set():
                statuses.append(client.post("/api/v1/predict", json=BODY).status_code)
        return statuses

    port, other = int(penread.rpartition(":")[2]), str(free_port())
    with (
        proxying(tmp_path, [port, int(other)], PROXY_RATE="9999r/s", PROXY_BURST="9999") as running,
        ThreadPoolExecutor(4) as pool,
    ):
        try:
            with serving_on(other) as old:
                asked = [pool.submit(ask, running) for _ in range(4)]
                wait_for(lambda: count(running, other) > 20)
                old.send_signal(signal.SIGTERM)
                assert old.wait(timeout=20) == 0
            before = count(running)
            wait_for(lambda: count(running) > before + 20)
            with serving_on(other):
                before = count(running, other)
                wait_for(lambda: count(running, other) > before + 20)
                stop.set()
                statuses = [status for each in asked for status in each.result()]
        finally:
            stop.set()
    assert len(statuses) > 60
    assert set(statuses) == {200}


def count(proxy: Proxy, port: str = "") -> int:
    """How many requests were answered, or were so by one server."""
    return sum(line["upstream"].endswith(port) for line in proxy.log())


def wait_for(condition: Any, patience_s: float = 60) -> None:
    ends = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_where_no_server_is_there_is_a_word_of_it(tmp_path: Path) -> None:
    with (
        proxying(tmp_path, [free_port(), free_port()]) as running,
        httpx2.Client(base_url=running.address, verify=running.trust) as client,
    ):
        for _ in range(2):
            response = client.get("/")
            assert "Try again in a few seconds" in problem(response, 503)
            assert response.headers["retry-after"] == "2"


def test_behind_a_path_as_the_document_shows(penread: str, tmp_path: Path) -> None:
    document = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    [shown] = re.findall(r"^```nginx\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    assert "http://127.0.0.1:8000/" in shown
    port = int(penread.rpartition(":")[2])
    with proxying(tmp_path, [port, port]) as before:
        configuration = tmp_path / "conf.d" / "penread.conf"
        front = free_port()
        block = shown.replace("http://127.0.0.1:8000/", f"{penread}/")
        text = configuration.read_text() + f"server {{ listen {front}; {block} }}"
        configuration.write_text(text)
        pid = int((tmp_path / "nginx.pid").read_text())
        subprocess.run(["kill", "-HUP", str(pid)], check=True)
        address = f"http://127.0.0.1:{front}"
        wait_for(lambda: listens(front), 10)
        assert before.https_port
        moved = httpx2.get(f"{address}/letters?x=1")
        assert moved.status_code in {301, 308}
        assert urlsplit(moved.headers["location"]).path == "/letters/"
        page = httpx2.get(f"{address}/letters/").raise_for_status().text
        for script in re.findall(r'(?:src|href)="(static/[^"]+)"', page):
            httpx2.get(f"{address}/letters/{script}").raise_for_status()
        docs = httpx2.get(f"{address}/letters/docs").raise_for_status().text
        for asked in re.findall(r'(?:src|href)="([^"]+)"', docs):
            httpx2.get(f"{address}/letters/{asked}").raise_for_status()
        assert httpx2.post(f"{address}/letters/api/v1/predict", json=BODY).json()["char"] == "L"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
