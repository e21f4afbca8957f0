"""Clients that mean harm or know no HTTP, over raw sockets: they get an answer or the door, others are served."""

from __future__ import annotations

import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.conftest import STROKES_L, serving
from tests.security.wire import (
    DRAWING,
    PREDICT,
    Held,
    asked,
    connect,
    reads_as_ever,
    received,
    request,
    send,
    statuses,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Short enough for a test to see what happens after it, long enough for a busy machine.
TIMEOUT_S = 2.5
MAX_CONNECTIONS = 150
# The biggest file of the page that is always there, about a megabyte.
LARGE_FILE = "/static/model/model.onnx"
SMUGGLED = b"GET /openapi.json HTTP/1.1\r\nHost: penread.test\r\n\r\n"


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[str, int]]:
    """A server with short limits: its address and its process."""
    limits = {"PENREAD_REQUEST_TIMEOUT_S": str(TIMEOUT_S), "PENREAD_MAX_CONNECTIONS": str(MAX_CONNECTIONS)}
    with serving(env=limits) as (address, process):
        reads_as_ever(address)
        yield address, process.pid


@pytest.fixture(scope="module")
def address(guarded: tuple[str, int]) -> str:
    return guarded[0]


@contextmanager
def nothing_left_of(guarded: tuple[str, int]) -> Iterator[None]:
    """Checks that another client is served during and after what is done, and that no connection remains of it."""
    address, pid = guarded
    before = Held.by(pid).connections
    yield
    reads_as_ever(address)
    until(lambda: Held.by(pid).connections <= before, f"{Held.by(pid).connections - before} connections remain")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(request(DRAWING, "Content-Length: 3"), id="two lengths"),
        pytest.param(request(DRAWING, f"Content-Length: {len(DRAWING)}"), id="the same length twice"),
        pytest.param(request(DRAWING, f"Content-Length: {len(DRAWING)}, 5", length=-1), id="a list of lengths"),
        pytest.param(request(DRAWING, "Content-Length: -1", length=-1), id="a length below zero"),
        pytest.param(request(DRAWING, "Content-Length: +5", length=-1), id="a length with a sign"),
        pytest.param(request(DRAWING, "Content-Length: 0x10", length=-1), id="a length in hexadecimals"),
        pytest.param(request(DRAWING, "Content-Length: 1_0", length=-1), id="a length as Python writes it"),
        pytest.param(request(DRAWING, "Content-Length: \xb2", length=-1), id="a length of superscripts"),
        pytest.param(request(DRAWING, f"Content-Length: {10**30}", length=-1), id="a length beyond 64 bits"),
        pytest.param(request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", length=5), id="chunks and length"),
        pytest.param(request(DRAWING, "Transfer-Encoding: xchunked", length=-1), id="no known encoding"),
        pytest.param(request(DRAWING, "Transfer-Encoding: chunked, identity", length=-1), id="chunked, not last"),
        pytest.param(request(DRAWING, "Transfer-Encoding : chunked", length=-1), id="a space before the colon"),
        pytest.param(request(b"zz\r\n", "Transfer-Encoding: chunked", length=-1), id="a chunk of no size"),
        pytest.param(request(b"-5\r\n", "Transfer-Encoding: chunked", length=-1), id="a chunk below zero"),
        pytest.param(request(b"F" * 40 + b"\r\n", "Transfer-Encoding: chunked", length=-1), id="an endless chunk"),
        pytest.param(request(b"3\nabc\n0\n\n", "Transfer-Encoding: chunked", length=-1), id="lines without returns"),
        pytest.param(request(b"3\r\nabcdef\r\n", "Transfer-Encoding: chunked", length=-1), id="a chunk that is longer"),
        pytest.param(request(DRAWING + b"more of it", length=len(DRAWING)), id="a body that is longer"),
        pytest.param(request(DRAWING, "X-A: b\r\n folded"), id="a folded header"),
        pytest.param(request(DRAWING, "X-A: b\0c"), id="a NUL in a header"),
        pytest.param(request(DRAWING, "X-A: b\rX-B: c"), id="a return within a header"),
        pytest.param(request(DRAWING, "no header at all"), id="a header without a colon"),
        pytest.param(request(DRAWING, path="/api/v1/\xe9"), id="a path that isn't ASCII"),
        pytest.param(request(DRAWING, method="DRAW"), id="a method that nobody knows"),
        pytest.param(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", id="a proxy's method"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", id="HTTP of a later time"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", id="HTTP/2 outright"),
        pytest.param(bytes.fromhex("16030100c8010000c40303") + b"\x11" * 200, id="TLS"),
        pytest.param(bytes(range(256)) * 4, id="any bytes"),
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(address: str, content: bytes) -> None:
    assert statuses(asked(address, content)) == [400]
    reads_as_ever(address)


def test_http_without_a_version_is_answered_and_closed(address: str) -> None:
    assert statuses(asked(address, b"GET /healthz\r\n\r\n")) == [200]


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "anything"])
def test_a_wish_for_another_protocol_hides_no_request(address: str, protocol: str) -> None:
    """A body that looks like a request, in a packet of its own, stays a body."""
    head = request(b"", "Connection: Upgrade", f"Upgrade: {protocol}", length=len(SMUGGLED))
    with connect(address) as client:
        send(client, head)
        time.sleep(0.2)
        send(client, SMUGGLED)
        client.shutdown(socket.SHUT_WR)
        assert statuses(received(client)) in ([422], [])
    # curl --http2 and Java's client ask like that, with a body that is meant.
    wish = ["Connection: Upgrade, HTTP2-Settings, close", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQ"]
    answer = asked(address, request(DRAWING, *wish))
    assert statuses(answer) == [200]
    assert b'"char":"L"' in answer


def test_a_body_shorter_than_its_length_is_timed_out(guarded: tuple[str, int]) -> None:
    with nothing_left_of(guarded):
        assert statuses(asked(guarded[0], request(DRAWING, length=1000))) == [408]


def test_slow_clients_are_ended_and_hold_nobody_up(guarded: tuple[str, int]) -> None:
    """Nothing, a head, or a body, a byte at a time: many of each, while another client asks again and again."""
    address, _ = guarded
    beginnings = (b"", b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: x\r\nX-Slow: ", request(b"", length=10_000))
    slow: list[socket.socket] = []
    with nothing_left_of(guarded), ExitStack() as opened:
        for beginning in beginnings * 20:
            client = opened.enter_context(connect(address))
            send(client, beginning)
            slow.append(client)
        # Those that began with nothing stay silent.
        dripping = [client for number, client in enumerate(slow) if number % 3]
        for _ in range(10):
            for client in dripping:
                send(client, b"a")
            reads_as_ever(address)
            time.sleep(0.1)
        for client in slow:
            assert statuses(received(client)) in ([408], [])


def test_endless_heads_are_cut_off(guarded: tuple[str, int]) -> None:
    address, pid = guarded
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    before = Held.by(pid).memory_bytes
    for beginning, part in [
        (b"GET /", b"a" * 65536),
        (start + b"X-Long: ", b"a" * 65536),
        (start, b"X-Many: 1\r\n" * 6000),
        (b"", b"\r\n" * 32768),
    ]:
        with nothing_left_of(guarded), connect(address) as client:
            client.settimeout(5)
            send(client, beginning)
            with pytest.raises(OSError):  # noqa: PT012 - the server hangs up, or no longer reads
                for _ in range(5_000):
                    client.sendall(part)
    # 300 MB each would have been sent.
    assert Held.by(pid).memory_bytes - before < 50e6


def test_endless_trailers_and_chunk_extensions_are_cut_off(guarded: tuple[str, int]) -> None:
    address, pid = guarded
    chunked = request(b"", "Transfer-Encoding: chunked", length=-1)
    before = Held.by(pid).memory_bytes
    for beginning in (chunked + b"1\r\n{\r\n0\r\nX-Trailer: ", chunked + b"1;extension="):
        with nothing_left_of(guarded), connect(address) as client:
            client.settimeout(5)
            send(client, beginning)
            with pytest.raises(OSError):  # noqa: PT012 - as above
                for _ in range(5_000):
                    client.sendall(b"a" * 65536)
    assert Held.by(pid).memory_bytes - before < 50e6


def test_trailers_are_no_headers(address: str) -> None:
    """A proxy judges headers; what comes after the body it may not have seen."""
    chunks = b"%x\r\n%s\r\n0\r\nConnection: keep-alive\r\nX-Request-ID: from-a-trailer\r\n\r\n" % (
        len(DRAWING),
        DRAWING,
    )
    answer = asked(address, request(chunks, "Transfer-Encoding: chunked", "Connection: close", length=-1))
    assert statuses(answer) == [200]
    assert b"from-a-trailer" not in answer


def test_chunks_of_one_byte_are_a_body_like_any_other(address: str) -> None:
    chunks = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in DRAWING) + b"0\r\n\r\n"
    answer = asked(address, request(chunks, "Transfer-Encoding: chunked", "Connection: close", length=-1))
    assert b'"char":"L"' in answer


def test_what_a_client_sends_comes_back_in_no_header(address: str) -> None:
    injected = "x%0d%0aX-Injected:%20yes"
    for path in (f"/{injected}", f"/static/{injected}", f"/api/v1/predict?{injected}", f"{PREDICT}/"):
        for method in ("GET", "POST"):
            headers = ["Connection: close", f"X-Request-ID: {injected}"]
            answer = asked(address, request(b"", *headers, path=path, method=method))
            head = answer.partition(b"\r\n\r\n")[0].lower()
            assert b"x-injected:" not in head
            # Nor is anybody sent to the host that was named in the request.
            assert b"penread.test" not in head
            assert statuses(answer)[0] >= 400


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/....//....//etc/passwd",
        "/static//etc/passwd",
        "//etc/passwd",
        "/%00",
        "/%ff%fe",
        "/static/%c0%ae%c0%ae/",
        "*",
        "http://evil.test/nothing",
    ],
)
def test_paths_lead_nowhere_else(address: str, path: str) -> None:
    answer = asked(address, request(b"", "Connection: close", path=path, method="GET"))
    assert statuses(answer) in ([404], [400])
    assert b"root:" not in answer


def test_hundreds_of_requests_at_once_on_one_connection_are_answered_in_order(address: str) -> None:
    numbers = [number % 40 + 1 for number in range(300)]
    sent = [
        request(json.dumps({"strokes": STROKES_L, "top_k": number}).encode(), *(["Connection: close"] * last))
        for number, last in zip(numbers, [0] * 299 + [1], strict=True)
    ]
    answers = asked(address, b"".join(sent)).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * 300
    given = [len(json.loads(answer.partition(b"\r\n\r\n")[2])["candidates"]) for answer in answers]
    assert given == numbers


def test_a_flood_of_pipelined_requests_ends_the_connection(guarded: tuple[str, int]) -> None:
    address, pid = guarded
    before = Held.by(pid).memory_bytes
    with nothing_left_of(guarded), connect(address) as client:
        # The first takes a while; behind it they would pile up.
        send(client, request(json.dumps({"strokes": STROKES_L}).encode(), path="/api/v1/explain"))
        send(client, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 200_000)
        received(client)
    assert Held.by(pid).memory_bytes - before < 50e6


def test_more_connections_than_there_is_room_for(guarded: tuple[str, int]) -> None:
    """A thousand clients that connect and wait keep nobody out, and no more than the bound stay."""
    address, pid = guarded
    with nothing_left_of(guarded), ExitStack() as opened:
        idle = [opened.enter_context(connect(address)) for _ in range(1_000)]
        for _ in range(5):
            reads_as_ever(address)
        until(lambda: Held.by(pid).connections <= MAX_CONNECTIONS + 10, "there are more connections than the bound")
        assert len(idle) == 1_000


def test_busy_connections_beyond_the_bound_are_told_so(guarded: tuple[str, int]) -> None:
    """Bodies that don't come hold every place: new clients are told, and are served once the bodies are timed out."""
    address, _ = guarded
    with nothing_left_of(guarded), ExitStack() as opened:
        busy = [opened.enter_context(connect(address)) for _ in range(MAX_CONNECTIONS)]
        for client in busy:
            send(client, request(b"", length=100))
        answers: list[httpx2.Response] = []

        def is_refused() -> bool:
            answers.append(httpx2.get(f"{address}/openapi.json"))
            # Nor does it seem dead to whoever would start it anew for that.
            assert httpx2.get(f"{address}/healthz").status_code == 200
            return answers[-1].status_code == 503

        until(is_refused, "nobody was refused")
        assert answers[-1].headers["retry-after"]
        assert answers[-1].headers["content-type"] == "application/problem+json"
        for client in busy:
            assert statuses(received(client)) == [408]


@pytest.mark.parametrize("ask_again", [False, True], ids=["one request", "and more of them"])
def test_a_client_that_never_reads_its_answer_is_ended(guarded: tuple[str, int], ask_again: bool) -> None:
    address, pid = guarded
    before = Held.by(pid).memory_bytes
    with nothing_left_of(guarded), ExitStack() as opened:
        deaf = [opened.enter_context(connect(address, receive_bytes=4096)) for _ in range(30)]
        for client in deaf:
            send(client, request(b"", path=LARGE_FILE, method="GET") * 12)
        reads_as_ever(address)
        if ask_again:
            time.sleep(0.5)
            for client in deaf:
                send(client, request(b"", path=LARGE_FILE, method="GET"))
        until(lambda: Held.by(pid).connections < 30, "the server waits for clients that never read")
        # What had reached the client is still there; the rest never comes.
        assert len(received(deaf[0])) < 12_000_000
    assert Held.by(pid).memory_bytes - before < 100e6


def test_a_client_that_never_reads_small_answers_is_ended(guarded: tuple[str, int]) -> None:
    """As many as the kernel doesn't take, but too few for the server to be told that it should wait."""
    address, pid = guarded
    with nothing_left_of(guarded), ExitStack() as opened:
        deaf = [opened.enter_context(connect(address, receive_bytes=2048)) for _ in range(20)]
        for number, client in enumerate(deaf):
            many = request(b"", method="GET", path="/healthz") * (200 + 40 * number)
            send(client, many + b"no HTTP\r\n\r\n")
        reads_as_ever(address)
        until(lambda: Held.by(pid).connections < 20, "the server waits for clients that never read")


def is_open(client: socket.socket) -> bool:
    """Sends another byte, and says whether the server still takes it."""
    try:
        client.sendall(b"a")
    except OSError:
        return False
    return True


def test_refused_bodies_may_not_drip_for_ever(guarded: tuple[str, int]) -> None:
    """Answered before their bodies are complete: no path, no type, too long."""
    address, _ = guarded
    starts = [
        request(b"{", path="/nothing", length=10_000),
        request(b"{", "Content-Type: text/plain", length=10_000),
        request(b"{", length=10**12),
    ]
    with nothing_left_of(guarded), ExitStack() as opened:
        clients = [opened.enter_context(connect(address)) for _ in starts]
        for client, start in zip(clients, starts, strict=True):
            send(client, start)
        for client in clients:
            until(lambda client=client: not is_open(client), "a body drips for ever")  # type: ignore[misc]


def test_clients_that_leave_take_nothing_with_them(guarded: tuple[str, int]) -> None:
    """In the middle of a head, of a body, of the work, of the answer; in order or by a reset."""
    address, pid = guarded
    reset = struct.pack("ii", 1, 0)
    page = json.dumps({"strokes": [[[x * 9, 0], [x * 9, 40]] for x in range(300)]}).encode()
    starts = [
        b"POST /api/v1/pre",
        request(b"{", length=1000),
        request(page, path="/api/v1/read"),
        request(path="/api/v1/explain"),
        request(b"", path=LARGE_FILE, method="GET"),
    ]

    def leave(number: int) -> None:
        with connect(address) as client:
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            send(client, starts[number % len(starts)])
            time.sleep(number % 4 * 0.01)

    def grown() -> int:
        first = Held.by(pid).memory_bytes
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(leave, range(200)))
        until(lambda: Held.by(pid).connections < 10, "connections remain")
        return Held.by(pid).memory_bytes - first

    # What the first requests of a kind load stays, and what the threads hold for the next ones.
    for path in ("/api/v1/read", "/api/v1/explain"):
        httpx2.post(address + path, content=page, headers={"content-type": "application/json"}, timeout=60)
    grown()
    with nothing_left_of(guarded):
        threads = Held.by(pid).threads
        assert any(grown() < 10e6 for _ in range(5)), "each time the server holds more"
        reads_as_ever(address)
        until(lambda: Held.by(pid).threads <= threads + 4, "threads remain")


def test_a_client_that_has_said_all_may_close_its_side(address: str) -> None:
    """Such a client gets its answer or none, and its connection ends."""
    with connect(address) as client:
        send(client, request(DRAWING))
        client.shutdown(socket.SHUT_WR)
        assert statuses(received(client)) in ([200], [])
    reads_as_ever(address)
