"""A server that is penread's but for some routes that fail, for the tests of what is seen of that.

python tests/observability/faulty.py --port PORT
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from penread.server import process
from penread.server.app import create_app
from penread.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_application = process.application


def application() -> FastAPI:
    """Makes penread's application with routes that fail."""
    _application()
    app = create_app()

    @app.post("/fails")
    @app.post("/v2/fails")
    async def fails(request: Request) -> Response:
        drawing = (await request.body()).decode()
        try:
            float(drawing)
        except ValueError as error:
            raise RuntimeError(f"{drawing} is no number\nand this is no second line") from error
        return Response(status_code=204)

    @app.get("/breaks-off")
    async def breaks_off() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half of the ans"
            await asyncio.sleep(0)
            raise RuntimeError

        return StreamingResponse(pieces())

    @app.get("/takes-long")
    async def takes_long(seconds: float) -> Response:
        structlog.get_logger().info("begun")
        await asyncio.sleep(seconds)
        return Response(b"done")

    return app


if __name__ == "__main__":
    # As `penread serve` does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    process.application = application
    process.run(Settings(port=int(sys.argv[2])))
