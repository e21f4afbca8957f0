"""The bounds on what a request may bring, and the gate that holds the largest of them: the body's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The most bytes of a request body; base64 makes an image a third larger.
MAX_BODY_BYTES = 16 * 1024 * 1024
#: The most strokes of one drawing.
MAX_STROKES = 1_000
#: The most points of one drawing, all strokes together.
MAX_POINTS = 20_000
#: The most charsets, one for each line of a page.
MAX_CHARSETS = 200


class BodyLimit:
    """Middleware that stops reading a body once it is larger than ``MAX_BODY_BYTES``.

    It counts what arrives, so a body without a length, or with a wrong one, is held to the same bound.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, with a ``receive`` that counts."""
        # What the headers announce is refused before it is read.
        announced = dict(scope.get("headers", [])).get(b"content-length", b"0")
        received_bytes = int(announced) if announced.isdigit() and int(announced) > MAX_BODY_BYTES else 0

        async def receive_counting() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > MAX_BODY_BYTES:
                # Raised where the route reads the body, so that it is answered like any other error.
                raise HTTPException(413, f"The request is larger than {MAX_BODY_BYTES:,} bytes. Send a smaller image.")
            return message

        await self._app(scope, receive_counting if scope["type"] == "http" else receive, send)
