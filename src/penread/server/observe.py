"""The outermost middleware: a request's id, how long it took, its line in the log, its part in the metrics.

And the innermost: what fails unexpectedly is logged once, and answered.
"""

from __future__ import annotations

import asyncio
import random
import re
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match

from penread.server.metrics import METHODS, NO_ROUTE
from penread.server.problems import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from penread.server.metrics import Metrics

#: The status of a request whose client left before the answer, as nginx has it.
CLIENT_CLOSED_REQUEST = 499

# Asked every few seconds by machines: their lines would drown the others.
_PROBES = frozenset(("/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"))
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_MAX_PATH = 512
_MAX_CLIENT = 64
# To ask whether the client is still there costs more than all else here; who left an answer that was ready at once
# is nobody's concern.
_ASK_AFTER_S = 0.1

_log = structlog.get_logger()


class Observe:
    """Gives each request an id, logs it, and counts it. It belongs around all other middleware.

    The id is the client's own ``X-Request-ID`` where it is fit to be repeated, goes back in the answer, and is on every
    line that is logged within the request.

    Args:
        app: The application behind it.
        metrics: Is told of each request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._routes: list[BaseRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, and watches what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(scope, receive, send)
        try:
            await self._app(scope, watched.receive, watched.send)
        except Exception as error:  # noqa: BLE001 - the last one who could do something about it
            _log_failure(error, scope)
            if not watched.status:
                await _answer_failure(error, scope, watched.receive, watched.send)
            # Whatever had been said at first, and whoever has left since.
            watched.status, watched.has_left = HTTPStatus.INTERNAL_SERVER_ERROR, False
        except asyncio.CancelledError:
            # The server stops, and its grace is over. It has cancelled this task to end it, which answering does.
            watched.was_stopped = True
            if not watched.status:
                detail = "The server stops before this is done. Send it again."
                response = refusal(scope["path"], HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"})
                await response(scope, watched.receive, watched.send)
        finally:
            self._tell(scope, watched)

    def _tell(self, scope: Scope, watched: _Watched) -> None:
        duration_s = perf_counter() - watched.begun_s
        route = self._route(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        # uvicorn answers 500 where nobody else has answered.
        status = CLIENT_CLOSED_REQUEST if watched.has_left else watched.status or HTTPStatus.INTERNAL_SERVER_ERROR
        self._metrics.request(route, method, int(status), duration_s)
        client = scope.get("client")
        # What finds no room is nearly everything in a flood, and the metrics count it.
        found_no_room = status == HTTPStatus.SERVICE_UNAVAILABLE and not watched.was_stopped
        if route in _PROBES or found_no_room:
            log = _log.debug
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log = _log.warning
        else:
            log = _log.info
        log(
            "request",
            method=method,
            route=route,
            path=_fit(scope["path"]),
            status=int(status),
            duration_ms=round(duration_s * 1000, 3),
            client=client[0][:_MAX_CLIENT] if client else None,
            bytes_in=watched.bytes_in,
            bytes_out=watched.bytes_out,
        )

    def _route(self, scope: Scope) -> str:
        """Gives the template of a request's route: a label that strangers can't multiply."""
        route = scope.get("route")
        if route is None:
            # It was refused before its route was looked for, or there is none.
            if self._routes is None:
                self._routes = list(_flat(scope["app"].routes))
            route = next((each for each in self._routes if each.matches(scope)[0] is not Match.NONE), None)
        return getattr(route, "path", NO_ROUTE)


class Failures:
    """Logs what fails unexpectedly, once, and answers it as the application says.

    It belongs within all other middleware, so that this answer, too, gets the headers that they give.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on."""
        has_started = False

        async def send_noticing(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noticing)
        except ClientDisconnect:
            # Nobody has failed, and nobody waits.
            pass
        except Exception as error:
            if has_started or scope["type"] != "http":
                raise
            _log_failure(error, scope)
            await _answer_failure(error, scope, receive, send)


class _Watched:
    """A request's channels, and what has gone through them."""

    __slots__ = (
        "_has_body",
        "_id",
        "_is_done",
        "_receive",
        "_send",
        "begun_s",
        "bytes_in",
        "bytes_out",
        "has_left",
        "status",
        "was_stopped",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun_s = perf_counter()
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.has_left = False
        self.was_stopped = False
        # Nobody reads that of a GET, and nothing is in it.
        self._has_body = scope["method"] in {"GET", "HEAD"}
        self._is_done = False
        self._receive = receive
        self._send = send
        self._id = _request_id(scope)
        structlog.contextvars.bind_contextvars(request_id=self._id.decode())

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            self._has_body = not message.get("more_body", False)
        elif message["type"] == "http.disconnect" and not self._is_done:
            self.has_left = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", self._id)]}
            if self._has_body and perf_counter() - self.begun_s > _ASK_AFTER_S:
                await self._ask()
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            self._is_done = not message.get("more_body", False)
        await self._send(message)

    async def _ask(self) -> None:
        """Asks whether the client is still there. With the body taken, nothing else can come."""
        with anyio.CancelScope() as scope:
            scope.cancel()
            await self.receive()
            if not self.has_left:
                # It was the body of a GET.
                await self.receive()


def new_request_id() -> bytes:
    """Gives a request's id: 32 hexadecimal digits, which keep nothing secret, so that they needn't be unforeseeable."""
    return b"%032x" % random.getrandbits(128)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return bytes(value)
            break
    return new_request_id()


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Gives routes, and in the place of each router that was included the routes in it."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flat(included.routes)


def _fit(path: str) -> str:
    """Gives a path as it may be logged: ASCII without control characters, and not endless."""
    path = path[:_MAX_PATH]
    return path if path.isascii() and path.isprintable() else quote(path)


def _log_failure(error: Exception, scope: Scope) -> None:
    _log.error("failed", exc_info=error, method=scope["method"], path=_fit(scope["path"]))


async def _answer_failure(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what nobody has expected, in the application's words."""
    answer: Any = scope["app"].exception_handlers[Exception]
    response = await answer(Request(scope, receive), error)
    await response(scope, receive, send)
