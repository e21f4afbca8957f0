"""The bounds on what a request may bring, and the gate that holds the largest of them: the body's size and time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from penread.server.problems import overloaded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from penread.server.lanes import QueueWatcher
    from penread.server.service import Service

#: The most strokes of one drawing.
MAX_STROKES = 1_000
#: The most points of one drawing, all strokes together.
MAX_POINTS = 20_000
#: The most characters in one request.
MAX_ITEMS = 256
#: The most points of all drawings of one request.
MAX_POINTS_OF_ITEMS = 5 * MAX_POINTS
#: The most charsets, one for each line of a page.
MAX_CHARSETS = 200

# Bodies in memory at one time, of all requests together, in bodies of the largest size.
_BODIES_AT_ONCE = 16


class QueueLimit:
    """Middleware that refuses by its head a request whose queue is full, before anything is put into it.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, or refuses it."""
        if scope["type"] == "http" and scope["method"] == "POST":
            service: Service = scope["app"].state.service
            headers = dict(scope["headers"])
            length = headers.get(b"content-length", b"0")
            queue = service.queue_of(
                scope["path"],
                headers.get(b"content-type", b"").decode("latin-1"),
                int(length) if length.isdigit() else 0,
            )
            if queue is not None and (retry_after_s := queue.refuse()) is not None:
                await overloaded(scope["path"], retry_after_s)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Middleware that bounds bodies: the bytes of each, the time it takes to arrive, and the bytes of all together.

    It counts what arrives, so a body without a length, or with a wrong one, is held to the same bound.

    Args:
        app: The application behind it.
        max_bytes: The most bytes of a body.
        timeout_s: The seconds it has to arrive.
        metrics: Is told of bodies that are refused.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float, metrics: QueueWatcher) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, with a ``receive`` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # What the headers announce is refused before it is read.
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        is_announced_too_large = announced.isdigit() and int(announced) > self._max_bytes
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        received_bytes = 0
        has_arrived = False

        async def receive_counting() -> Message:
            nonlocal received_bytes, has_arrived
            if has_arrived:
                # Only a disconnection can come, and may take as long as it likes.
                return await receive()
            if is_announced_too_large:
                self._refuse_large()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                self._metrics.rejected("timeout")
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT, f"The body didn't arrive in {self._timeout_s:g} seconds."
                ) from None
            has_arrived = not message.get("more_body", False)
            size = len(message.get("body", b""))
            received_bytes += size
            self._held_bytes += size
            # Raised where the route reads the body, so that it is answered like any other error.
            if received_bytes > self._max_bytes:
                self._refuse_large()
            if self._held_bytes > _BODIES_AT_ONCE * self._max_bytes:
                self._metrics.rejected("body")
                raise HTTPException(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "Too much is being sent at a time. Send it again in a moment.",
                    {"Retry-After": "1"},
                )
            return message

        try:
            await self._app(scope, receive_counting, send)
        finally:
            self._held_bytes -= received_bytes

    def _refuse_large(self) -> None:
        self._metrics.rejected("body")
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The request is larger than {self._max_bytes:,} bytes. Send a smaller image.",
        )
