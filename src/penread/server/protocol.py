"""uvicorn's HTTP protocol with what it lacks to be left alone with strangers: time limits, and a bound on connections.

It also ends connections in order: uvicorn closes one that is idle at once when it stops, and a request that is on its
way then is lost.
"""

from __future__ import annotations

import json
import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from penread.server.door import Door

# Long enough for a request that was sent before its client could know.
_LINGER_S = 0.5
# A head has a few hundred bytes, and with cookies a few thousand.
_MAX_HEAD_BYTES = 64 * 1024
# Requests sent ahead of the answers to those before them. Browsers send none.
_MAX_PIPELINE = 1_000
# Chunks of one byte have five of framing; trailers are as large as a head at most.
_MAX_FRAMING = 8
# Clients that would rather speak HTTP/2 ask for it in any request, with a body, too: curl --http2, Java's HttpClient.
# httptools would take the body for that other protocol, so it never sees the wish.
_UPGRADE = re.compile(rb"^upgrade(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE)


class BoundedProtocol(HttpToolsProtocol):
    """A connection with bounds: uvicorn's ``limit_concurrency`` connections, ``request_timeout_s`` of the lifespan.

    A request's head has so many seconds to arrive, and a client so many to take more of an answer. Where there are too
    many connections, one that no request is under way on gives way to the new one; where there is none, the new one is
    answered 503.
    """

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(config, server_state, app_state, **options)
        self._max_connections = config.limit_concurrency or 0
        # uvicorn's own bound counts requests, too, and logs each that it refuses.
        self.limit_concurrency = None
        self._timeout_s: float = app_state["request_timeout_s"]
        # Until then the client must have sent what it owes: a head, or the rest of a body that nobody wants.
        self._deadline: asyncio.TimerHandle | None = None
        # Until then it must have taken some of what was sent.
        self._write_deadline: asyncio.TimerHandle | None = None
        # What came last; the head and the body that begin within it are counted from what comes next.
        self._incoming_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._wire_bytes = 0
        self._is_in_head = True
        self._is_ending = False
        self._aborts: list[asyncio.TimerHandle] = []
        self._door: Door | None = app_state["door"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) <= self._max_connections:
            return
        for other in self.connections:
            # One that is closing has given way already, and one that still sends its answer isn't idle.
            if (
                other is not self
                and isinstance(other, BoundedProtocol)
                and other._is_idle  # noqa: SLF001 - its own class's
                and not other.transport.is_closing()
                and not other.transport.get_write_buffer_size()
            ):
                other.transport.abort()
                break
        else:
            self.app = partial(_refuse, self.app)
            self.app_state["metrics"].rejected("connections")
            self._is_ending = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._met()
        self._taken()
        for abort in self._aborts:
            abort.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes, but no endless head, and no endless trailers."""
        if self._door and self._may_refuse:
            refusal = self._door.refusal(data)
            if refusal is not None:
                self._met()
                self._unset_keepalive_if_required()
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
                self.transport.write(refusal)
                return
        if self._is_in_head and b"pgrade" in data:
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"ignored", head) + end + rest
        self._incoming_bytes = len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head has over {_MAX_HEAD_BYTES:,} bytes.")
        else:
            self._wire_bytes += len(data)
            if self._wire_bytes > 2 * _MAX_HEAD_BYTES + _MAX_FRAMING * self._body_bytes:
                self.transport.abort()
        # What came began no request: uvicorn has stopped to wait for one all the same.
        if self._is_idle and self._deadline is None and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Begins to wait for a request's head."""
        super().on_message_begin()
        self._head_bytes = -self._incoming_bytes
        if self._deadline is None:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header. What follows a body in chunks is none: a proxy before us has not seen it as one."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begins a request."""
        self._met()
        self._is_in_head = False
        self._wire_bytes = -self._incoming_bytes
        self._body_bytes = 0
        super().on_headers_complete()
        # An upgrade that came through: cut in pieces, or pipelined. What follows may be anything, and is nothing.
        if self._is_ending or self.parser.should_upgrade():
            self.cycle.keep_alive = False
        if len(self.pipeline) > _MAX_PIPELINE:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._met()
        self._is_in_head = True
        self._head_bytes = -self._incoming_bytes
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Ends an answer; the rest of a body that is answered already is let pass, for a while."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_later()
        elif not self.pipeline and self.cycle.more_body and self._deadline is None:
            self._deadline = self._abort_later()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._end(HTTPStatus.BAD_REQUEST, msg)

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection that nothing comes on."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def pause_writing(self) -> None:
        """Begins to wait for the client to take what was sent."""
        super().pause_writing()
        self._write_deadline = self._abort_later()

    def resume_writing(self) -> None:
        """Goes on to send."""
        self._taken()
        super().resume_writing()

    def shutdown(self) -> None:
        """Ends the connection with the answer to the request that is under way, or soon to come."""
        self._is_ending = True
        self.app_state["service"].is_stopping = True
        if self._is_idle:
            self.loop.call_later(_LINGER_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _may_refuse(self) -> bool:
        """Whether what comes now begins a request, and its answer would be taken."""
        return (
            self._is_idle
            and self._is_in_head
            and not self._head_bytes
            and not self._is_ending
            and not self.flow.write_paused
        )

    def _close_if_idle(self) -> None:
        if self._is_idle:
            self.transport.close()
            self._abort_later()

    def _abort_later(self) -> asyncio.TimerHandle:
        """Ends a connection in a while, whatever the client takes or doesn't."""
        abort = self.loop.call_later(self._timeout_s, self.transport.abort)
        # Cancelled at the end: a timer would keep the connection's memory for as long as it runs.
        self._aborts = [each for each in self._aborts if not each.cancelled()]
        self._aborts.append(abort)
        return abort

    def _taken(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self._timeout_s, self._head_is_late)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self.app_state["metrics"].rejected("timeout")
        self._end(HTTPStatus.REQUEST_TIMEOUT, f"The request didn't arrive in {self._timeout_s:g} seconds.")

    def _end(self, status: HTTPStatus, detail: str) -> None:
        """Answers what never became a request, and closes the connection."""
        body = _problem(status, detail)
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        # A client that doesn't take even that must not keep the connection open.
        self._abort_later()


def _problem(status: HTTPStatus, detail: str) -> bytes:
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return json.dumps(problem).encode()


_PROBES = ("/healthz", "/v2/health/live")
_CROWDED = _problem(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections. Come again in a moment.")
_CROWDED_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"content-length", str(len(_CROWDED)).encode()),
    (b"retry-after", b"1"),
]


async def _refuse(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    # Too much to do is no reason to be started anew.
    if scope["method"] == "GET" and scope["path"] in _PROBES:
        await app(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 503, "headers": _CROWDED_HEADERS})
    await send({"type": "http.response.body", "body": _CROWDED})
